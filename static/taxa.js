/**
 * The answers: a grid of taxa with their keys, a filter, and the two answers that every project has.
 *
 * @typedef {import('./api.js').Taxon} Taxon
 * @typedef {{taxon: Taxon|null}} Choice null: can't tell
 */
import { nameOf } from './confirm.js';
import { el } from './dom.js';
import { t } from './lang.js';

const FILTER_FROM = 8;
/** Keys of the labelling screen itself (label.js, viewer.js); no taxon is given one of them by us. */
const RESERVED = ['?', '/', '.', ' ', '0', '+'];

/**
 * A key for every choice. A taxon's own hotkey wins; the others get the first free letter of their name, then any free
 * letter or digit. "Nothing here" is the space bar and its own key; "can't tell" the first free of 0 - x.
 * @param {Taxon[]} taxa
 * @returns {{keys: Map<string, Choice>, keyOf: Map<number, string>, cantTell: string}}
 */
export function assignKeys(taxa) {
	/** @type {Map<string, Choice>} */
	const keys = new Map();
	/** @type {Map<number, string>} */
	const keyOf = new Map();
	const give = (/** @type {Taxon} */ taxon, /** @type {string|undefined} */ key) => {
		if (key === undefined || key === '' || keys.has(key))
			return;
		keys.set(key, { taxon });
		keyOf.set(taxon.id, key);
	};
	for (const taxon of taxa)
		give(taxon, taxon.hotkey);
	const cantTell = ['0', '-', 'x'].find((key) => !keys.has(key)) ?? '';
	if (cantTell)
		keys.set(cantTell, { taxon: null });
	const others = [...'123456789abcdefghijklmnopqrstuvwxyz'];
	const isFree = (/** @type {string} */ key) => others.includes(key) && !keys.has(key) && !RESERVED.includes(key);
	for (const taxon of taxa.filter((one) => !keyOf.has(one.id) && one.kind !== 'blank'))
		give(taxon, [...taxon.common_name.toLowerCase()].find(isFree) ?? others.find(isFree));
	const blank = taxa.find((taxon) => taxon.kind === 'blank');
	if (blank)
		keys.set(' ', { taxon: blank });
	return { keys, keyOf, cantTell };
}

/** @param {string} key */
const badge = (key) => el('kbd', { 'aria-hidden': 'true' }, key === ' ' ? t('taxa.space') : key);

export class Taxa {
	#onChoose;
	/** @type {{taxon: Taxon, button: HTMLButtonElement}[]} */
	#cells = [];
	/** @type {HTMLButtonElement[]} */
	#buttons = [];
	#always = el('div', { class: 'always', role: 'group', 'aria-label': t('taxa.other') });
	#grid = el('div', { class: 'taxa', role: 'group', 'aria-label': t('label.ask') });
	#none = el('p', { class: 'hint', hidden: true }, t('taxa.no_match'));
	#filter = el('input', {
		type: 'search', placeholder: t('taxa.filter'), 'aria-label': t('taxa.filter'), autocomplete: 'off', spellcheck: false,
		'aria-keyshortcuts': '/',
	});
	/** @type {HTMLElement|null} the button that had the focus when the answers were disabled */
	#focused = null;

	/**
	 * @param {Taxon[]} taxa in the page's order
	 * @param {(choice: Choice, byPointer: boolean) => void} onChoose
	 * @param {HTMLElement} more the button for more than one species
	 */
	constructor(taxa, onChoose, more) {
		this.#onChoose = onChoose;
		const { keys, keyOf, cantTell } = assignKeys(taxa);
		this.keys = keys;
		this.cantTellKey = cantTell;
		for (const taxon of taxa.filter((one) => one.kind !== 'blank')) {
			const key = keyOf.get(taxon.id) ?? '';
			const button = this.#button({ taxon }, key, nameOf(taxon), taxon.scientific_name);
			this.#cells.push({ taxon, button });
		}
		this.#grid.append(...this.#cells.map((cell) => cell.button));
		this.#grid.addEventListener('keydown', (event) => this.#onGridKey(event));
		this.#rove(this.#cells[0]?.button);
		this.#filter.addEventListener('input', () => this.#applyFilter());
		this.#filter.addEventListener('keydown', (event) => this.#onFilterKey(event));
		const blank = taxa.find((taxon) => taxon.kind === 'blank');
		this.element = el('div', { class: 'answers' },
			taxa.length >= FILTER_FROM ? el('div', { class: 'filter' }, this.#filter) : null,
			this.#grid, this.#none,
			this.#always);
		this.#always.append(...blank ? [this.#button({ taxon: blank }, ' ', t('taxa.nothing'))] : [],
			this.#button({ taxon: null }, cantTell, t('label.cant_tell')), more);
		this.enable(false);
	}

	/** An answer of several species is being made: nothing goes with it but names. @param {Set<number>|null} chosen taxa in it */
	setAdding(chosen) {
		this.#always.hidden = chosen !== null;
		for (const { taxon, button } of this.#cells)
			if (chosen)
				button.setAttribute('aria-pressed', String(chosen.has(taxon.id)));
			else
				button.removeAttribute('aria-pressed');
	}

	/** @param {boolean} on */
	enable(on) {
		if (!on && this.element.contains(document.activeElement) && document.activeElement !== this.#filter)
			this.#focused = /** @type {HTMLElement} */ (document.activeElement);
		for (const button of this.#buttons)
			button.disabled = !on;
		if (on && this.#focused) {
			if (document.activeElement === document.body || document.activeElement === this.#focused)
				this.#focused.focus();
			this.#focused = null;
		}
	}

	/** Moves the focus to the filter. */
	focusFilter() {
		this.#filter.focus();
		this.#filter.select();
	}

	/** Empties the filter: the next subject starts with all names. */
	clearFilter() {
		if (this.#filter.value === '')
			return;
		this.#filter.value = '';
		this.#applyFilter();
	}

	/** @param {Choice} choice @param {string} key @param {string} name @param {string} [scientific] */
	#button(choice, key, name, scientific = '') {
		const button = el('button', {
			type: 'button', class: 'choice', title: scientific, 'aria-keyshortcuts': key === ' ' ? 'Space' : key || null,
			on: { click: (event) => this.#onChoose(choice, event.detail > 0) },
		}, el('span', { class: 'name' }, name), key ? badge(key) : null);
		this.#buttons.push(button);
		return button;
	}

	#applyFilter() {
		const wanted = this.#filter.value.trim().toLowerCase();
		let n_shown = 0;
		for (const { taxon, button } of this.#cells) {
			const text = `${nameOf(taxon)} ${taxon.common_name} ${taxon.scientific_name} ${taxon.code}`.toLowerCase();
			button.hidden = !text.includes(wanted);
			n_shown += button.hidden ? 0 : 1;
		}
		this.#none.hidden = n_shown > 0;
		this.#rove(this.#shown()[0]);
	}

	#shown() {
		return this.#cells.filter((cell) => !cell.button.hidden).map((cell) => cell.button);
	}

	/** @param {KeyboardEvent} event Enter takes a single match; Escape leaves. */
	#onFilterKey(event) {
		const shown = this.#shown();
		if (event.key === 'Enter' && shown.length === 1) {
			event.preventDefault();
			this.#filter.blur();
			shown[0].click();
		} else if ((event.key === 'Enter' || event.key === 'ArrowDown') && shown.length > 0) {
			event.preventDefault();
			shown[0].focus();
		} else if (event.key === 'Escape') {
			this.clearFilter();
			this.#filter.blur();
		}
	}

	/** One stop of the Tab key for the whole grid; arrows move inside it. @param {HTMLButtonElement|undefined} to */
	#rove(to) {
		for (const { button } of this.#cells)
			button.tabIndex = button === to ? 0 : -1;
	}

	/** @param {KeyboardEvent} event */
	#onGridKey(event) {
		const shown = this.#shown();
		const at = shown.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
		const top = shown.find((button) => button.offsetTop > shown[0].offsetTop);
		const n_columns = top ? shown.indexOf(top) : shown.length;
		const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -n_columns, ArrowDown: n_columns };
		const step = steps[/** @type {keyof steps} */ (event.key)];
		if (at < 0 || step === undefined)
			return;
		event.preventDefault();
		event.stopPropagation();
		const to = shown[at + step];
		if (to) {
			this.#rove(to);
			to.focus();
		}
	}
}
