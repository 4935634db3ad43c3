/* Where the reader is, noted on leaving; a page is read once each section was seen. */
{
  const { page } = document.currentScript.dataset;
  const sections = [...document.querySelectorAll("article section:not(#sources) > h2")];
  const seen = new Set();
  let read = Math.round((memory.read().pages[page]?.read ?? 0) * sections.length);
  const watch = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) seen.add(target);
    while (seen.has(sections[read])) read++;
  });
  for (const heading of sections) watch.observe(heading);

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "hidden") return;
    const heading = [...document.querySelectorAll("article :is(h2, h3)")].findLast(
      (e) => e.getClientRects().length && e.getBoundingClientRect().top < innerHeight / 2,
    );
    const most = document.documentElement.scrollHeight - innerHeight;
    memory.note("pages", page, {
      heading: heading?.querySelector(".headerlink")?.hash ?? "",
      section: heading?.textContent.replace(/[#¶]$/, "") ?? "",
      share: most > 0 ? Math.round((100 * scrollY) / most) / 100 : 1,
      read: sections.length ? read / sections.length : 1,
    });
  });
}
