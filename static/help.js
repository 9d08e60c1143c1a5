/** The list of keys, for whatever screen is shown. */
import { el } from './dom.js';
import { t } from './lang.js';

/** @typedef {[key: string, what: string]} Shortcut */

/** @type {() => Shortcut[]} */
let screenKeys = () => [];

/** A screen says which keys it has. @param {() => Shortcut[]} keys */
export function setShortcuts(keys) {
	screenKeys = keys;
}

export function openHelp() {
	if (document.querySelector('dialog[open]'))
		return;
	const rows = /** @type {Shortcut[]} */ ([...screenKeys(), ['?', t('help.list')]]);
	const dialog = el('dialog', { class: 'help', 'aria-labelledby': 'help-title', on: { close: () => dialog.remove() } },
		el('h2', { id: 'help-title' }, t('help.title')),
		el('dl', {}, ...rows.map(([key, what]) =>
			el('div', {}, el('dt', {}, ...key.split(' ').map((part) => el('kbd', {}, part))), el('dd', {}, what)))),
		el('form', { method: 'dialog' }, el('button', { class: 'primary' }, t('main.close'))));
	document.body.append(dialog);
	dialog.showModal();
}
