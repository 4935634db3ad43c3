// Runs the judging files in MicroPython: node micropython.mjs FOLDER <JOBS >VERDICTS
// Each job holds the records of one check, as check_exercise passes them to judge.
import { readdirSync, readFileSync } from "node:fs";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript";

const micropython = await loadMicroPython({ heapsize: 256 * 1024 * 1024 });
micropython.FS.mkdir("judging");
for (const file of readdirSync(process.argv[2])) {
  if (file.endsWith(".py")) {
    const text = readFileSync(`${process.argv[2]}/${file}`, "utf8");
    micropython.FS.writeFile(`judging/${file}`, text);
  }
}
micropython.globals.set("jobs", readFileSync(0, "utf8"));
micropython.runPython(`
import json
from judging.verdict import judge

def of(records):
    return lambda index: records[index]

said = json.dumps([
    judge(
        job["count"], of(job["got"]), of(job["expected"]),
        [(hint, of(records)) for hint, records in job["mistakes"]],
    )
    for job in json.loads(jobs)
])
`);
process.stdout.write(micropython.globals.get("said"));
