/* The page "Daily review": the questions that are due, a card at a time. */
{
  const today = () => boxes.day(new Date());
  const home = document.currentScript.src.replace(/[^/]*$/, "");
  self.cards = {};
  const loading = {};

  /** The cards of a page, which only their script holds. */
  const load = (page) => {
    loading[page] ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = `${home}review/${page}.js`;
      script.onload = done;
      script.onerror = failed;
      document.head.append(script);
    });
    return loading[page];
  };

  const days = (n) => (n === 1 ? "tomorrow" : `in ${n} days`);

  customElements.define(
    "book-review",
    class extends HTMLElement {
      connectedCallback() {
        this.next();
      }

      async next() {
        const known = memory.read();
        const pages = questions.flatMap((chapter) => chapter.pages);
        const keys = pages.flatMap((page) => page.questions);
        const due = boxes.due(known, keys, today());
        if (!due.length) {
          this.innerHTML = `<p tabindex="-1">${this.nothing(known, keys)}</p>`;
          return;
        }
        const [card] = due;
        const page = card.key.split("#")[0];
        try {
          await load(page);
        } catch {
          delete loading[page];
          this.innerHTML = `<p tabindex="-1">The card could not be loaded: open the page again.</p>`;
          return;
        }
        const { href, place, text, form, explanation } = cards[card.key];
        const before = boxes.reviewed(known, today());
        this.innerHTML = `<p class="where" tabindex="-1">Card ${before + 1} of
          ${before + due.length}, from <a href="${href}">${place}</a></p>
          <div class="text">${text}</div>
          <book-question><div class="asked">${form}</div
          ><book-answer>${explanation}</book-answer></book-question>
          <p class="onward" hidden><button type="button">Next</button></p>`;
        const onward = this.querySelector(".onward");
        this.querySelector("book-question").addEventListener("guessed", ({ detail }) => {
          memory.note("cards", card.key, boxes.next(card, detail, today()));
          onward.hidden = false;
        });
        onward.firstChild.onclick = async () => {
          await this.next();
          this.firstChild.focus();
        };
      }

      nothing(known, keys) {
        const met = boxes.met(known, keys);
        if (!met.length)
          return "No card yet: answer a question of a page, and it comes back here the next day.";
        const waits = Math.min(...met.map(({ due }) => due)) - today();
        return boxes.reviewed(known, today()) < boxes.A_DAY || waits > 0
          ? `Nothing is due. The next card comes ${days(waits)}.`
          : `That was all for today: ${boxes.A_DAY} cards a day. The others wait until tomorrow.`;
      }
    },
  );
}
