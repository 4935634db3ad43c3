/* The page "Your progress": what memory.js keeps, beside all there is (questions.js). */
{
  const LARGEST = 5e6; // bytes, more than a browser keeps
  const count = ({ questions, exercises }) => {
    const answers = questions.map(memory.answered).filter((answer) => answer);
    return {
      answered: answers.length,
      right: answers.filter(({ right }) => right).length,
      asked: questions.length,
      solved: exercises.filter(memory.solved).length,
      posed: exercises.length,
    };
  };
  const visit = (page) => {
    const kept = memory.read().pages[page];
    if (!kept) return "";
    const time = new Date(kept.time);
    const date = time.toLocaleDateString("en", { dateStyle: "medium" });
    return `<time datetime="${time.toISOString()}">${date}</time>`;
  };
  const row = ({ page, title }, { answered, right, asked, solved, posed }) => `<tr>
    <th scope="row"><a href="../${page}.html">${title}</a></th>
    <td>${right} of ${asked}${answered > right ? ` (${answered} answered)` : ""}</td>
    <td>${solved} of ${posed}</td>
    <td>${visit(page)}</td></tr>`;
  const save = (text, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const aside = () => {
    try {
      return localStorage.getItem(memory.ASIDE);
    } catch {
      return null; // a browser may refuse
    }
  };

  customElements.define(
    "book-progress",
    class extends HTMLElement {
      connectedCallback() {
        this.innerHTML = `<p class="sum"></p><div class="notes"></div>
          <p class="buttons"><button type="button">Save to a file</button>
          <button type="button">Load from a file</button>
          <button type="button">Forget everything</button>
          <input type="file" accept=".json,application/json" hidden /></p>
          <p role="status"></p>
          <table><thead><tr><th scope="col">Page</th><th scope="col">Questions right</th>
          <th scope="col">Exercises solved</th><th scope="col">Last visit</th></tr></thead>
          </table>`;
        const [saving, loading, forgetting] = this.querySelectorAll("button");
        const file = this.querySelector("input");
        saving.onclick = () => {
          save(JSON.stringify(memory.read(), null, 1), "pytorch-layers-progress.json");
        };
        loading.onclick = () => file.click();
        file.onchange = () => this.load(file);
        forgetting.onclick = () => this.forget();
        addEventListener("memory", () => this.draw());
        this.draw();
      }

      draw() {
        const sums = { answered: 0, right: 0, asked: 0, solved: 0, posed: 0 };
        const bodies = questions.map(({ title, pages }) => {
          const rows = pages.map((page) => {
            const found = count(page);
            for (const name in sums) sums[name] += found[name];
            return row(page, found);
          });
          const head = `<tr><th scope="rowgroup" colspan="4">${title}</th></tr>`;
          return `<tbody>${head}${rows.join("")}</tbody>`;
        });
        const table = this.querySelector("table");
        for (const body of [...table.tBodies]) body.remove();
        table.insertAdjacentHTML("beforeend", bodies.join(""));
        this.querySelector(".sum").textContent =
          `You have answered ${sums.answered} of ${sums.asked} questions, ` +
          `${sums.right} of them right, and solved ${sums.solved} of ${sums.posed} exercises.`;
        this.note();
      }

      note() {
        const notes = this.querySelector(".notes");
        notes.replaceChildren();
        if (!memory.keeps())
          notes.innerHTML = `<p class="note">This browser keeps nothing of this book: what
            you do is forgotten when you leave a page.</p>`;
        if (aside() === null) return;
        notes.insertAdjacentHTML(
          "beforeend",
          `<p class="note">What was kept here could not be read, so it was begun anew. Nothing
          is lost: the old text is kept aside, until you forget everything.
          <button type="button">Save the old text</button></p>`,
        );
        notes.querySelector("button").onclick = () => save(aside(), "pytorch-layers-old.txt");
      }

      say(words) {
        this.querySelector("[role=status]").textContent = words;
      }

      async load(input) {
        const [file] = input.files;
        if (!file) return;
        const { found, wrong } =
          file.size > LARGEST ? { wrong: "it is too large" } : memory.parse(await file.text());
        input.value = "";
        if (wrong)
          return this.say(
            `Nothing was changed: ${file.name} was not saved by this page (${wrong}).`,
          );
        memory.change((all) => Object.assign(all, boxes.merge(all, found)));
        const until = memory.keeps() ? "" : ", until you leave this page";
        this.say(
          `${file.name} is added to what is kept here, of each entry the newer one${until}.`,
        );
      }

      forget() {
        const words =
          "Forget all answers, solved exercises, your code and the review on this device? A saved file stays.";
        if (!confirm(words)) return;
        memory.forget();
        if (memory.keeps())
          for (const key of [memory.KEY, memory.ASIDE]) localStorage.removeItem(key);
        this.draw();
        this.say("All is forgotten.");
      }
    },
  );
}
