/** The list of keys, for whatever screen is shown. */
import { el } from './dom.js';
import { t } from './lang.js';

/**
 * @typedef {[key: string, what: string]} Shortcut several keys are parted by spaces
 * @typedef {{title: string, keys: Shortcut[], change?: () => void}} Group `change` lets the person choose other keys
 */

/** @type {() => Group[]} */
let screenKeys = () => [];

/** A screen says which keys it has. @param {() => Group[]} keys */
export function setShortcuts(keys) {
	screenKeys = keys;
}

export function openHelp() {
	if (document.querySelector('dialog[open]'))
		return;
	/** @type {Group[]} */
	const groups = [{ title: t('help.page'), keys: [['?', t('help.list')]] }, ...screenKeys()];
	const dialog = el('dialog', { class: 'help', 'aria-labelledby': 'help-title', on: { close: () => dialog.remove() } },
		el('h2', { id: 'help-title', tabIndex: -1, autofocus: true }, t('help.title')), // else its last button, far below
		...groups.filter(({ keys }) => keys.length > 0).map((group) => section(group, () => dialog.close())),
		el('form', { method: 'dialog' }, el('button', { class: 'primary' }, t('main.close'))));
	document.body.append(dialog);
	dialog.showModal();
}

/** @param {Group} group @param {() => void} leave */
function section({ title, keys, change }, leave) {
	const button = change && el('button', {
		type: 'button', on: {
			click: () => {
				leave();
				change();
			},
		},
	}, t('keys.change'));
	return el('section', {}, el('div', { class: 'row' }, el('h3', {}, title), button),
		el('dl', {}, ...keys.map(([key, what]) =>
			el('div', {}, el('dt', {}, ...key.split(' ').map((part) => el('kbd', {}, part))), el('dd', {}, what)))));
}
