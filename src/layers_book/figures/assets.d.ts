/** A style sheet is imported as its text. */
declare module "*.css" {
  const text: string;
  export default text;
}

/** The page's one core, which outlives a notebook output that brought it. */
declare var nnFigures: Record<string, unknown> | undefined;
