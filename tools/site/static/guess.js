/* Question cells: the answer unfolds once the reader has guessed. memory.js keeps the
   guess of a question that has a key; a card of the daily review has none. */
// both run where their start tag is parsed: nothing flashes, nothing moves
customElements.define(
  "book-question",
  class extends HTMLElement {
    connectedCallback() {
      this.toggleAttribute("asking", !memory.answered(this.dataset.key));
    }
  },
);
customElements.define(
  "book-answer",
  class extends HTMLElement {
    connectedCallback() {
      const question = this.parentElement;
      const { key } = question.dataset;
      const [form, verdict, answer, meanings, again] = question.firstChild.children;
      const { tolerance, answer: right } = form.dataset;
      const same = (a, b) =>
        tolerance ? Math.abs(a - b) <= tolerance * Math.abs(b) : a === b;
      const tell = (guess) => {
        const rows = [...meanings.children];
        const row = rows.find((e) => guess && same(guess, e.dataset.guess));
        for (const e of rows) e.hidden = e === row;
        const told = answer.lastChild;
        const isRight = guess && same(guess, right);
        const words = [];
        if (isRight) words.push(`<b>Right: ${told.innerHTML}.</b>`);
        else if (row) words.push(`<b>Wrong: ${row.firstChild.innerHTML}.</b>`);
        else if (guess && tolerance) words.push(`<b>Wrong: ${Number(guess)}.</b>`);
        if (row) words.push(row.lastChild.innerHTML);
        if (!isRight) words.push(`The answer is ${told.outerHTML}.`);
        verdict.innerHTML = words.join(" ");
        fold(false);
        return Boolean(isRight);
      };
      const fold = (asking) => {
        question.toggleAttribute("asking", asking);
        form.hidden = !asking;
        again.hidden = asking;
        this.hidden = asking && ("onbeforematch" in this ? "until-found" : true);
        if (!asking) this.dispatchEvent(new Event("toggle"));
      };
      this.commit = (guess) => {
        const isRight = tell(guess);
        if (key) memory.note("answers", key, { guess, right: isRight });
        question.dispatchEvent(new CustomEvent("guessed", { detail: isRight }));
      };
      form.onsubmit = (event) => {
        event.preventDefault();
        this.commit(form.elements.guess.value);
        verdict.focus();
      };
      form.querySelector("[type=button]").onclick = () => {
        this.commit("");
        verdict.focus();
      };
      again.onclick = () => {
        memory.note("answers", key, { guess: "", right: false, again: true });
        verdict.textContent = "";
        form.reset();
        fold(true);
        form.querySelector("input").focus();
      };
      this.addEventListener("beforematch", () => this.commit(""));
      const kept = memory.answered(key);
      if (!kept) fold(true);
      else if (tell(kept.guess) !== kept.right) // the page, or an older book, knew another
        memory.change(({ answers }) => {
          answers[key] = { ...kept, right: !kept.right };
        });
    }
  },
);

// where the browser itself does not unfold what a link leads to
const jump = () => {
  let id = location.hash.slice(1);
  try {
    id = decodeURIComponent(id);
  } catch {
    // damaged, as after a message cut it
  }
  const target = document.getElementById(id);
  const answer = target?.closest("book-answer[hidden]");
  answer?.commit("");
  if (answer) target.scrollIntoView();
};
addEventListener("hashchange", jump);
addEventListener("DOMContentLoaded", jump);
