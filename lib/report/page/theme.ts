/** Light or dark: as the system has it, until the reader chooses. */
import { element } from './dom.js';
import type { Theme } from './palette.js';

export function currentTheme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

export function themeButton(changed: () => void): HTMLElement {
  const button = element('button', {
    type: 'button',
    class: 'theme',
    'aria-label': 'Switch between light and dark',
  });
  const label = () => {
    button.textContent = currentTheme() === 'dark' ? 'Light' : 'Dark';
  };
  label();
  button.addEventListener('click', () => {
    document.documentElement.dataset.theme = currentTheme() === 'dark' ? 'light' : 'dark';
    label();
    changed();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', label);
  return button;
}
