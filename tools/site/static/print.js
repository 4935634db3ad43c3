/* Printing: light colors; hints and solutions shown, left out or at the end (print.css). */
(() => {
  const root = document.documentElement;
  const ANSWERS = "details:not(.hide, .last, .cell_output details)";
  const CHOICES = {
    end: "at the end",
    shown: "where they stand",
    hidden: "left out",
  };
  const session = (work) => {
    try {
      return work(sessionStorage);
    } catch {
      return null; // a browser may refuse
    }
  };
  let place = session((store) => store.getItem("print answers")) ?? "end";

  /* Copies go to the end of the page, so that what the reader has open stays untouched. */
  const toEnd = (article) => {
    const end = document.createElement("section");
    end.className = "answers";
    end.innerHTML = "<h2>Hints and solutions</h2>";
    const added = [end];
    let last;
    for (const answer of article.querySelectorAll(ANSWERS)) {
      const section = answer.closest("section");
      if (section !== last) {
        last = section;
        const id = `answers-${section.id}`;
        const title = section.querySelector("h1, h2, h3, h4").cloneNode(true);
        title.querySelector(".headerlink")?.remove();
        const link = document.createElement("p");
        link.className = "to-answers";
        link.innerHTML = `<a href="#${id}">Hints and solution: at the end</a>`;
        answer.before(link);
        added.push(link);
        end.insertAdjacentHTML(
          "beforeend",
          `<h3 id="${id}"><a href="#${section.id}">${title.innerHTML}</a></h3>`,
        );
      }
      end.append(answer.cloneNode(true));
    }
    if (last) article.append(end);
    return added;
  };

  let undo = null;
  addEventListener("beforeprint", () => {
    if (undo) return;
    const { theme } = root.dataset;
    root.dataset.theme = "light";
    root.dataset.answers = place;
    const articles = place === "end" ? document.querySelectorAll(".bd-article") : [];
    const added = [...articles].flatMap(toEnd);
    undo = () => {
      for (const element of added) element.remove();
      delete root.dataset.answers;
      root.dataset.theme = theme;
    };
  });
  addEventListener("afterprint", () => {
    undo?.();
    undo = null;
  });

  const ask = () => {
    const opener = document.querySelector(".dropdown-download-buttons > button");
    const dialog = document.createElement("dialog");
    dialog.className = "print-dialog";
    dialog.ariaLabel = "Print";
    const radios = Object.entries(CHOICES).map(
      ([value, words]) =>
        `<label><input type="radio" name="place" value="${value}"${value === place ? " checked" : ""}> ${words}</label>`,
    );
    dialog.innerHTML = `<form method="dialog"><fieldset><legend>Print hints and solutions</legend>${radios.join("")}</fieldset>
  <p>Folded code prints where you opened it.</p>
  <button value="print">Print</button> <button>Cancel</button></form>`;
    dialog.onclose = () => {
      dialog.remove();
      opener.focus();
      if (dialog.returnValue !== "print") return;
      place = dialog.querySelector(":checked").value;
      session((store) => store.setItem("print answers", place));
      print();
    };
    document.body.append(dialog);
    dialog.showModal();
  };
  for (const button of document.querySelectorAll('[onclick="window.print()"]')) {
    button.querySelector(".btn__text-container").textContent = "Print or PDF";
    button.onclick = ask;
  }
})();
