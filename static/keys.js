/**
 * One key for every taxon: the project's own, else letters of its name, with Shift where the plain ones are taken. A person
 * may give other keys, kept in this browser for the project, or turn off every key that types something (WCAG 2.1.4).
 *
 * @typedef {import('./api.js').Taxon} Taxon
 * @typedef {{taxon: Taxon|null}} Choice null: can't tell
 */
import { nameOf } from './confirm.js';
import { el, isTyping } from './dom.js';
import { t } from './lang.js';

/** Letters and 1 to 9 are the taxa's, a capital with Shift; 0, space and every sign are the page's own. */
const IS_TAXON_KEY = /^[\p{L}1-9]$/u;
export const CANT_TELL_KEY = '0';
/** Not given by us: it is "something else" on the confirm card, which is pressed just before. */
const CARD_KEY = 'n';
const PLAIN = [...'abcdefghijklmopqrstuvwxyz'];
const OFF = 'topi.keys.off';

/** @param {string} slug */
const kept_at = (slug) => `topi.keys.${slug}`;

/** The key as it is named here: whether a letter is a capital depends on Shift alone, not on Caps Lock. @param {KeyboardEvent} event */
export function nameOfKey(event) {
	const { key, shiftKey } = event;
	return key.length !== 1 ? key : shiftKey ? key.toUpperCase() : key.toLowerCase();
}

/** The key of the same place on a keyboard with Latin letters. @param {KeyboardEvent} event */
export function latinKey(event) {
	const letter = /^Key([A-Z])$/.exec(event.code)?.[1];
	return letter && (event.shiftKey ? letter : letter.toLowerCase());
}

/** @param {string} key */
export const asWritten = (key) => key === ' ' ? t('keys.space') : isCapital(key) ? `⇧${key}` : key;

/** @param {string} key */
export const badge = (key) => el('kbd', { 'aria-hidden': 'true' }, asWritten(key));

/** For `aria-keyshortcuts`. @param {string} key */
export const shortcut = (key) => key === ' ' ? 'Space' : isCapital(key) ? `Shift+${key}` : key || null;

/** @param {string} key */
const isCapital = (key) => key !== key.toLowerCase();

/**
 * Keys that fit a name, the best first: its initials, these with Shift, its other letters, then whatever is left. Every taxon
 * is offered one kind of them before any is offered the next.
 * @param {string} name @returns {string[][]}
 */
function candidates(name) {
	const folded = name.normalize('NFD').toLowerCase();
	const initials = folded.split(/[^a-z]+/).map((word) => word[0]).filter(Boolean);
	const letters = [...folded].filter((c) => /[a-z]/.test(c));
	const capitals = (/** @type {string[]} */ keys) => keys.map((c) => c.toUpperCase());
	return [initials, capitals(initials), [...letters, ...capitals(letters)], [...PLAIN, ...capitals(PLAIN), ...'123456789']]
		.map((keys) => keys.filter((key) => key.toLowerCase() !== CARD_KEY));
}

/**
 * A key for every taxon but "nothing here", which is the space bar and whatever the project gives it.
 * @param {Taxon[]} taxa @param {Record<string, string>} [own] keys that the person gave, by the taxon's code; '' none
 * @returns {{keys: Map<string, Choice>, keyOf: Map<number, string>}}
 */
export function assignKeys(taxa, own = {}) {
	/** @type {Map<string, Choice>} */
	const keys = new Map([[CANT_TELL_KEY, { taxon: null }]]);
	/** @type {Map<number, string>} */
	const keyOf = new Map();
	const give = (/** @type {Taxon} */ taxon, /** @type {string|undefined} */ key) => {
		if (!key || keys.has(key) || keyOf.has(taxon.id) || !IS_TAXON_KEY.test(key))
			return;
		keys.set(key, { taxon });
		keyOf.set(taxon.id, key);
	};
	for (const taxon of taxa)
		give(taxon, own[taxon.code]);
	for (const taxon of taxa)
		if (own[taxon.code] === undefined)
			give(taxon, taxon.hotkey);
	const others = taxa.filter((taxon) => taxon.kind !== 'blank' && own[taxon.code] === undefined)
		.map((taxon) => ({ taxon, fitting: candidates(taxon.common_name) }));
	for (const kind of [0, 1, 2, 3])
		for (const { taxon, fitting } of others)
			give(taxon, fitting[kind].find((key) => !keys.has(key)));
	const blank = taxa.find((taxon) => taxon.kind === 'blank');
	if (blank)
		keys.set(' ', { taxon: blank });
	return { keys, keyOf };
}

/** The person's own keys of a project, by taxon code. @param {string} slug @returns {Record<string, string>} */
export function ownKeys(slug) {
	try {
		const kept = JSON.parse(localStorage.getItem(kept_at(slug)) ?? '{}');
		return kept !== null && typeof kept === 'object' ? kept : {};
	} catch {
		return {};
	}
}

/** @param {string} at @param {string|null} value null: none */
function keep(at, value) {
	try {
		if (value === null)
			localStorage.removeItem(at);
		else
			localStorage.setItem(at, value);
	} catch {
		// For this page only then.
	}
}

/** @param {boolean} isOff */
function setOff(isOff) {
	document.documentElement.toggleAttribute('data-no-letters', isOff);
}

/** Whether keys that type something do nothing here. */
export const areOff = () => document.documentElement.hasAttribute('data-no-letters');

try {
	setOff(localStorage.getItem(OFF) !== null);
} catch {
	// Forbidden storage: they are on.
}
addEventListener('keydown', (event) => {
	if (event.key.length === 1 && areOff() && !isTyping(event.target))
		event.stopImmediatePropagation(); // what the browser does with it stays: the space bar still presses a button
}, { capture: true });

/**
 * Lets the person choose: every taxon with its key. A key that another has is exchanged for that other's new one.
 * @param {{slug: string, taxa: Taxon[]}} project @param {() => void} onChange
 */
export function openKeys(project, onChange) {
	const taxa = project.taxa.filter((taxon) => taxon.kind !== 'blank');
	const told = el('p', { class: 'hint', role: 'status' });
	/** @type {Map<string, HTMLInputElement>} */
	const inputs = new Map();
	const read = () => {
		const { keyOf } = assignKeys(project.taxa, ownKeys(project.slug));
		return Object.fromEntries(taxa.map((taxon) => [taxon.code, keyOf.get(taxon.id) ?? '']));
	};
	const draw = () => {
		for (const [code, key] of Object.entries(read()))
			/** @type {HTMLInputElement} */ (inputs.get(code)).value = key;
		onChange();
	};
	const change = (/** @type {Taxon} */ taxon, /** @type {string} */ typed) => {
		const key = [...typed].at(-1) ?? '';
		if (key !== '' && !IS_TAXON_KEY.test(key))
			told.textContent = t('keys.refused', { key });
		else {
			const all = read();
			const other = taxa.find(({ code }) => key !== '' && all[code] === key && code !== taxon.code);
			if (other)
				all[other.code] = all[taxon.code];
			all[taxon.code] = key;
			keep(kept_at(project.slug), JSON.stringify(all));
			told.textContent = other && all[other.code] ? t('keys.exchanged', { name: nameOf(other), key: all[other.code] }) :
				other ? t('keys.lost', { name: nameOf(other) }) : '';
		}
		draw();
	};
	const rows = taxa.map((taxon) => {
		const input = el('input', {
			type: 'text', autocomplete: 'off', spellcheck: false, 'aria-label': t('keys.of', { name: nameOf(taxon) }),
			on: { input: () => change(taxon, input.value), focus: () => input.select() },
		});
		input.setAttribute('autocapitalize', 'off');
		inputs.set(taxon.code, input);
		return el('li', {}, el('span', {}, nameOf(taxon)), input);
	});
	const on = el('input', {
		type: 'checkbox', role: 'switch', checked: !areOff(),
		on: {
			change: () => {
				setOff(!on.checked);
				keep(OFF, on.checked ? null : 'off');
				onChange();
			},
		},
	});
	const dialog = el('dialog', { class: 'keys', 'aria-labelledby': 'keys-title', on: { close: () => dialog.remove() } },
		el('h2', { id: 'keys-title' }, t('keys.title')),
		el('label', { class: 'switch' }, on, t('keys.on')),
		el('p', { class: 'hint' }, t('keys.about')), told,
		el('ul', {}, ...rows),
		el('form', { method: 'dialog', class: 'row' },
			el('button', { class: 'primary' }, t('keys.done')),
			el('button', {
				type: 'button', on: {
					click: () => {
						keep(kept_at(project.slug), null);
						told.textContent = t('keys.was_reset');
						draw();
					},
				},
			}, t('keys.reset'))));
	draw();
	document.body.append(dialog);
	dialog.showModal();
}
