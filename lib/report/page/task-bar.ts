/** Which tasks are drawn in colour: a button per task, and a search where there are many. */
import type { PageData } from '../page-data.js';
import { element, shorten, swatch, whole } from './dom.js';
import { type Stroke, tasksAtFirst } from './palette.js';

/** More buttons than this are found by their names. */
const mostButtons = 16;
const mostFound = 12;

export class TaskBar {
  readonly node: HTMLElement;
  readonly #data: PageData;
  readonly #stroke: (task: number) => Stroke;
  readonly #changed: () => void;
  readonly #buttons = element('div', { class: 'tasks', role: 'group', 'aria-label': 'Tasks drawn' });
  readonly #chosen: Set<number>;
  #query = '';

  constructor(data: PageData, stroke: (task: number) => Stroke, changed: () => void) {
    this.#data = data;
    this.#stroke = stroke;
    this.#changed = changed;
    this.#chosen = new Set(data.ranking.slice(0, tasksAtFirst));
    this.node = element('div', { class: 'task-bar' }, this.#buttons);
    if (data.tasks.length > mostButtons) this.node.append(...this.#search());
    this.#draw();
  }

  /** In the order of their ranks. */
  get selected(): number[] {
    return this.#data.ranking.filter((task) => this.#chosen.has(task));
  }

  #search(): HTMLElement[] {
    const field = element('input', {
      type: 'search',
      placeholder: 'find a task…',
      'aria-label': 'Find a task by its name',
    });
    field.addEventListener('input', () => {
      this.#query = field.value.trim().toLowerCase();
      this.#draw();
    });
    return [
      field,
      element(
        'span',
        { class: 'soft' },
        `${whole(this.#data.tasks.length)} tasks; at first, the ${tasksAtFirst} whose weights moved most`,
      ),
    ];
  }

  #shown(): number[] {
    const { ranking, tasks } = this.#data;
    if (ranking.length <= mostButtons) return ranking;
    const found = this.#query
      ? ranking.filter((task) => tasks[task]!.toLowerCase().includes(this.#query)).slice(0, mostFound)
      : [];
    return ranking.filter((task) => this.#chosen.has(task) || found.includes(task));
  }

  #draw(): void {
    const focused = (document.activeElement as HTMLElement | null)?.dataset.task;
    this.#buttons.replaceChildren(...this.#shown().map((task) => this.#button(task)));
    if (focused !== undefined) this.#buttons.querySelector<HTMLElement>(`[data-task="${focused}"]`)?.focus();
  }

  #button(task: number): HTMLElement {
    const name = this.#data.tasks[task]!;
    const { colour, dash } = this.#stroke(task);
    const button = element(
      'button',
      {
        type: 'button',
        title: name,
        'data-task': task,
        'aria-pressed': String(this.#chosen.has(task)),
      },
      swatch(colour, dash),
      shorten(name, 24),
    );
    button.addEventListener('click', () => {
      if (this.#chosen.has(task)) this.#chosen.delete(task);
      else this.#chosen.add(task);
      this.#draw();
      this.#changed();
    });
    return button;
  }
}
