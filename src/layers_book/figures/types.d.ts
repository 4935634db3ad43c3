/** What core.js and the figures share: the names of their parts. */

/** torch's own words for what it refuses. */
export interface TorchError {
  type: string;
  text: string;
}

/** Text, or [role, text] in the color of a role (`b` is bold). */
export type Part = string | string[];

/** A value of a control: what the state may hold under one key. */
export type Value = string | number | boolean | null;

export interface Cell {
  text: string;
  label: string;
  cls: string;
}

/** Slice, row and column of a cell. */
export type Place = [slice: number, row: number, column: number];

export interface GridNames {
  slice(slice: number): string;
  row(row: number): string;
  column(slice: number, column: number): string;
}

export interface Grid {
  node: HTMLElement;
  size(slices: number, rows: number, columns: number): void;
  patch(
    names: GridNames,
    cell: (slice: number, row: number, column: number) => Cell,
    chosen: number[],
  ): void;
  /** the cell that an event came from */
  placeOf(target: EventTarget | null): Place | undefined;
}

export interface Matrix {
  head: HTMLElement;
  node: HTMLElement;
  placeOf(target: EventTarget | null): Place | undefined;
  fill(
    rows: number,
    columns: number,
    cell: (row: number, column: number) => Cell,
    chosen: number[],
  ): void;
}

export interface Range<State> {
  min: number;
  max(state: State): number;
  step?: number;
  visible?(state: State): boolean;
}

/** Values with the words for them. */
export type Options = (readonly [value: Value, words: string])[];

export type Update<State> = (patch: Partial<State>, quiet?: boolean) => void;

/** What a figure's `build` works with: the controls, and the parts of a picture. */
export interface Ui<State> extends Kit<State> {
  /** the state as it is now */
  state: State;
  update: Update<State>;
  say(words: string): void;
  grid(label: string, onSelect: (place: Place) => void): Grid;
  matrix(label: string, onSelect: (row: number, column: number) => void): Matrix;
  errorLine(): { node: HTMLElement; set(error: TorchError | null): void };
  code(): { node: HTMLElement; set(seen: string, whole?: string): void };
}

export interface Kit<State> {
  range(key: keyof State & string, label: string, range: Range<State>): HTMLElement;
  choice(
    key: keyof State & string,
    label: string,
    options: Options,
    visible?: (state: State) => unknown,
  ): HTMLElement;
  select(
    key: keyof State & string,
    label: string,
    options: (state: State) => Options,
    visible?: (state: State) => unknown,
  ): HTMLElement;
  check(
    key: keyof State & string,
    label: string,
    visible?: (state: State) => unknown,
  ): HTMLElement;
  button(
    label: string,
    act: () => void,
    enabled?: (state: State) => unknown,
  ): HTMLButtonElement;
  more(...kids: (Node | string)[]): HTMLElement;
}

/** `draw` shows a state and returns the sentence for the live region. */
export interface View<State> {
  nodes: (Node | string)[];
  draw(state: State): string;
}

/** A figure: how it is called, its style, its pure engine and its view. */
export interface Spec<State> {
  label: string;
  css: string;
  engine: Record<string, unknown>;
  build(ui: Ui<State>): View<State>;
  /** What a change of the state brings with it, so that it stays drawable. */
  mend?(state: State, patch: Partial<State>): Partial<State>;
}

/** What Python declares of a figure: its defaults, and what a widget keeps in step. */
export interface Declaration {
  defaults: Record<string, unknown>;
  traits: string[];
  /** What a link may hold under a key: a kind, then its bounds, words or parts. */
  forms: Record<string, [kind: string, ...rest: unknown[]]>;
}

/** A mounted figure. */
export interface Mounted {
  get(): Record<string, unknown>;
  /** `wish`: what of the patch `mend` shall take as asked for by the reader. */
  set(patch: Record<string, unknown>, wish?: Record<string, unknown>): void;
  say(words: string): void;
  destroy(): void;
}

/** The part of anywidget's model that a figure uses. */
export interface Model {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
  on(event: string, act: () => void): void;
  save_changes(): void;
}
