// The built site as one document: paper.py and epub.py run this in the browser.

const site = new URL(".", location.href);
/** @type {Set<string>} */
const loaded = new Set();

/** @param {string} tag @param {Record<string, string>} values @param {(Node | string)[]} parts */
function make(tag, values, ...parts) {
  const element = Object.assign(document.createElement(tag), values);
  element.append(...parts);
  return element;
}

/** A heading's words. @param {Element} heading */
function words(heading) {
  const copy = /** @type {Element} */ (heading.cloneNode(true));
  copy.querySelector(".headerlink")?.remove();
  return copy.textContent.trim();
}

/** Load a page's styles, its figures and print.js once. @param {Document} page @param {URL} address */
async function load(page, address) {
  const wanted =
    "link[rel=stylesheet], script[src*='/figures/'], script[src*='print.js']";
  for (const element of page.querySelectorAll(wanted)) {
    const name = element.hasAttribute("src") ? "src" : "href";
    const { href } = new URL(element.getAttribute(name), address);
    if (loaded.has(href)) continue;
    loaded.add(href);
    const copy = make(element.localName, { [name]: href });
    if (name === "href")
      Object.assign(copy, { rel: "stylesheet", media: element.media });
    document.head.append(copy);
    await new Promise((done, failed) => {
      copy.onload = done;
      copy.onerror = () => failed(new Error(`${href} does not load`));
    });
  }
}

/**
 * Names become PAGE/ID, links to pages of the book #PAGE or #PAGE/ID, others public; a
 * link that moves a figure leads to the figure.
 * @param {Element} article @param {string} page @param {URL} address @param {URL} home
 * @param {string[]} names
 */
function rename(article, page, address, home, names) {
  /** @type {Record<string, number>} */
  const count = {};
  for (const figure of article.querySelectorAll(".nn-figure")) {
    const name = figure.localName.slice(3);
    count[name] = (count[name] ?? 0) + 1;
    figure.id ||= count[name] > 1 ? `${name}-${count[name]}` : name;
  }
  for (const element of article.querySelectorAll("[id]:not(svg *)"))
    element.id = `${page}/${element.id}`;
  for (const link of article.querySelectorAll("a[href]")) {
    const url = new URL(link.getAttribute("href"), new URL(`${page}.html`, home));
    const target = url.href.slice(home.href.length).replace(/\.html.*/, "");
    const [id] = decodeURIComponent(url.hash.slice(1)).split("~");
    const known = url.href.startsWith(home.href) && names.includes(target);
    link.href = known ? `#${target}${id && `/${id}`}` : url.href;
  }
  for (const image of article.querySelectorAll("img")) {
    image.src = new URL(image.getAttribute("src"), address).href;
    image.loading = "eager";
  }
  article.id = page;
}

/**
 * Set the pages into this document, with a list of contents, and print their answers
 * at the end of each.
 * @param {{ name: string, depth: number, part: string }[]} pages
 */
async function bind(pages) {
  const [contents, style] = [
    document.querySelector("nav"),
    document.createElement("style"),
  ];
  const names = pages.map(({ name }) => name);
  let [chapter, lastPart] = ["", ""];
  for (const [index, { name, depth, part }] of pages.entries()) {
    const address = new URL(`${name}.html`, site);
    const answer = await fetch(address);
    if (!answer.ok)
      throw new Error(`${address}: ${answer.status}, build the book first`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    await load(page, address);
    const canonical = page.querySelector("link[rel=canonical]").getAttribute("href");
    const article = page.querySelector("article");
    for (const script of article.querySelectorAll("script")) script.remove();
    rename(
      article,
      name,
      address,
      new URL(canonical.replace(`${name}.html`, "")),
      names,
    );
    article.dataset.depth = String(depth);
    const title = words(article.querySelector("h1"));
    if (depth < 2) chapter = title;
    if (part !== lastPart && depth < 2)
      contents.append(make("p", { className: "part" }, part));
    if (depth < 2) lastPart = part;
    const link = make(
      "a",
      { href: `#${name}`, className: `depth-${depth}` },
      title,
      make("b", {}),
    );
    contents.append(link);
    style.append(
      `#${CSS.escape(name)} { page: p${index}; } @page p${index} {
        @top-left { content: ${JSON.stringify(chapter)}; }
        @top-right { content: ${JSON.stringify(title === chapter ? "" : title)}; } }\n`,
    );
    document.querySelector(".bd-article-container").append(article);
  }
  document.head.append(style);
  await Promise.all([...document.images].map((image) => image.decode()));
}

/** The headings that print, their level in the bookmarks, and whether a page begins. */
function headings() {
  dispatchEvent(new Event("beforeprint"));
  return [...document.querySelectorAll("h1, h2, h3, h4")].map((heading) => {
    const depth = Number(heading.closest("article")?.dataset.depth ?? 1);
    const level = Math.max(depth, 1) + Number(heading.localName[1]) - 1;
    return { level, title: words(heading), begins: heading.matches("article h1") };
  });
}

/** Links of the book that lead nowhere. */
function broken() {
  return [...document.querySelectorAll("article a[href^='#']")]
    .filter((link) => !document.getElementById(decodeURIComponent(link.hash.slice(1))))
    .map((link) => `${link.closest("article").id}: ${link.hash}`);
}

/** What an interactive figure or a drawing says. @param {Element} drawn */
function alternative(drawn) {
  const said = drawn.querySelectorAll(":scope > title, :scope > desc, caption, tr");
  const text = (/** @type {Node} */ node) => node.textContent;
  return [...said].map((part) => [...part.childNodes].map(text).join(" ")).join(". ");
}

/** Number the pictures of what an EPUB reader may not draw; the numbers by page. */
function pictures() {
  let count = 0;
  return [...document.querySelectorAll("article")].map((article) =>
    [...article.querySelectorAll(".nn-figure, svg.nn-flow")].map((drawn) => {
      drawn.setAttribute("data-picture", String(count));
      return count++;
    }),
  );
}

/** Show one page alone, of which pictures are taken fast. @param {number} index */
function alone(index) {
  for (const [at, article] of document.querySelectorAll("article").entries())
    article.style.display = at === index ? "" : "none";
}

/** A file's name in the EPUB. @param {string} page */
const file = (page) => `${page.replaceAll("/", "-")}.xhtml`;

/**
 * The pages as XHTML without scripts and forms, math as MathML, drawings as pictures;
 * answers stand at the end, where `headings` has put them.
 */
function chapters() {
  const inert = document.implementation.createHTMLDocument(); // fetches nothing
  return [...document.querySelectorAll("article")].map((article) => {
    const copy = inert.importNode(article, true);
    copy.removeAttribute("style"); // of `alone`
    const drop =
      "form, button, .headerlink, .copybtn, .where-it-runs, [role=status], .katex-html, details.hide:not(:has(.checked))";
    for (const element of copy.querySelectorAll(drop)) element.remove();
    for (const box of copy.querySelectorAll("details")) {
      const answer = box.matches(
        ":not(.hide, .last, .cell_output details, .answers details)",
      );
      if (answer) box.remove();
      else if (box.matches(".hide"))
        box.replaceWith(make("p", {}, words(box.firstElementChild)));
      else {
        const name = make(
          "p",
          { className: "name" },
          words(box.querySelector("summary")),
        );
        box.querySelector("summary").remove();
        box.replaceWith(make("div", { className: "box" }, name, ...box.childNodes));
      }
    }
    for (const math of copy.querySelectorAll("math"))
      math.closest(".katex").replaceWith(math);
    for (const element of copy.querySelectorAll("[data-picture]")) {
      const source = `images/figure-${element.getAttribute("data-picture")}.png`;
      const image = inert.createElement("img");
      image.alt = alternative(element);
      image.id = element.id;
      image.setAttribute("src", source);
      element.replaceWith(image);
    }
    for (const image of copy.querySelectorAll("img:not([src^=images])"))
      image.setAttribute("src", `images/${image.getAttribute("src").split("/").pop()}`);
    for (const link of copy.querySelectorAll("a[href^='#']")) {
      const id = decodeURIComponent(link.hash.slice(1));
      const page = document.getElementById(id).closest("article").id;
      link.setAttribute("href", page === id ? file(page) : `${file(page)}#${id}`);
    }
    for (const element of copy.querySelectorAll("book-question, book-answer"))
      element.replaceWith(...element.childNodes);
    for (const element of copy.querySelectorAll("*"))
      for (const name of element.getAttributeNames())
        if (/^(data-|border$|loading|decoding|align$|valign$)/.test(name))
          element.removeAttribute(name);
    for (const empty of copy.querySelectorAll("[id='']")) empty.removeAttribute("id");
    return {
      file: file(article.id),
      title: words(article.querySelector("h1")),
      depth: Number(article.dataset.depth),
      text: new XMLSerializer().serializeToString(copy),
      sections: [...article.querySelectorAll("section > h2")].map((heading) => ({
        title: words(heading),
        id: heading.parentElement.id,
      })),
    };
  });
}

Object.assign(globalThis, {
  paper: { bind, headings, broken, pictures, alone, chapters },
});
