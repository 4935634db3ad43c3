/** A style sheet is imported as its text. */
declare module "*.css" {
  const text: string;
  export default text;
}

/** The torch that the tests compare the figures with: requirements.lock's. */
declare const TORCH: string;

/**
 * The page's one core, which outlives a notebook output that brought it; on the site
 * links.js is told of each figure.
 */
declare var nnFigures:
  | (Record<string, unknown> & {
      mounted?(host: HTMLElement, spec: unknown, figure: unknown): void;
    })
  | undefined;
