/* The boxes of the daily review, and two memories made one: arithmetic without a clock. */
self.boxes = (() => {
  // a card that lies in a box comes again after so many days
  const DAYS = [1, 2, 4, 8, 16, 32];
  const A_DAY = 10;

  /** A date's number, in the reader's own time zone. */
  const day = (date) =>
    Math.floor((date.getTime() - date.getTimezoneOffset() * 60_000) / 86_400_000);

  /** A question's card, with the day it is due; nothing if the question was never met. */
  const card = (memory, key) => {
    const answer = memory.answers[key];
    const page = memory.pages[key.split("#")[0]];
    let found = memory.cards[key];
    if (!found && answer)
      found = { box: answer.right ? 1 : 0, day: day(new Date(answer.time)) };
    // read without a guess: due at once
    if (!found && page?.read >= 1)
      found = { box: 0, day: day(new Date(page.time)) - DAYS[0] };
    return found && { key, ...found, due: found.day + (DAYS[found.box] ?? DAYS[0]) };
  };

  /** The cards of all questions that were met, in the order of the book. */
  const met = (memory, keys) =>
    keys.map((key) => card(memory, key)).filter((found) => found);

  /** How many cards were reviewed on a day. */
  const reviewed = (memory, today) =>
    Object.values(memory.cards).filter((found) => found.day === today).length;

  /** What is to be reviewed on a day: longest due first, at most ten a day. */
  const due = (memory, keys, today) =>
    met(memory, keys)
      .filter((found) => found.due <= today)
      .sort((a, b) => a.due - b.due)
      .slice(0, Math.max(0, A_DAY - reviewed(memory, today)));

  /** Where a card goes: one box on, or back to the first. */
  const next = ({ box }, right, today) => ({
    box: right ? Math.min(box + 1, DAYS.length - 1) : 0,
    day: today,
  });

  /** Two memories: of each entry the newer one, and the furthest that a page was read. */
  const merge = (mine, theirs) => {
    const merged = { ...mine };
    for (const part of ["pages", "answers", "solved", "cards", "texts"]) {
      const newer = ([name, entry]) => !(mine[part][name]?.time >= entry.time);
      const taken = Object.entries(theirs[part]).filter(newer);
      merged[part] = { ...mine[part], ...Object.fromEntries(taken) };
    }
    for (const [name, page] of Object.entries(merged.pages)) {
      const read = [mine, theirs].map(({ pages }) => pages[name]?.read ?? 0);
      merged.pages[name] = { ...page, read: Math.max(...read) };
    }
    return merged;
  };

  return { DAYS, A_DAY, day, met, reviewed, due, next, merge };
})();
