/**
 * The answers: a grid of taxa with their pictures and keys, a search, a filter by look, the few that are recent or likely
 * here, and the two answers that every project has. The grid and its keys never move; only a search puts the best first.
 *
 * @typedef {import('./api.js').Taxon} Taxon
 * @typedef {import('./keys.js').Choice} Choice
 */
import { nameOf } from './confirm.js';
import { el } from './dom.js';
import { CANT_TELL_KEY, areOff, asWritten, assignKeys, badge, latinKey, nameOfKey, openKeys, ownKeys, shortcut } from './keys.js';
import { t } from './lang.js';
import { LOOKS_KEY, Looks } from './looks.js';
import { say } from './notice.js';
import { find } from './search.js';

const FILTER_FROM = 8;
/** With fewer names than these all are in sight, and a row of the likely ones would only say them twice. */
const QUICK_FROM = 13;
const QUICK_MOST = 8;
const RECENT_MOST = 4;
const LOOK_UP_KEY = '=';

export class Taxa {
	#onChoose;
	#project;
	/** @type {{taxon: Taxon, button: HTMLButtonElement}[]} */
	#cells = [];
	/** @type {{choice: Choice, button: HTMLButtonElement}[]} */
	#buttons = [];
	/** @type {number[]} taxa of this visit's answers, the latest first */
	#recent = [];
	/** The next taxon is looked up instead of chosen. */
	#isLookingUp = false;
	/** @type {Looks|null} */
	#looks = null;
	#always = el('div', { class: 'always', role: 'group', 'aria-label': t('taxa.other') });
	#grid = el('div', { class: 'taxa', role: 'group', 'aria-label': t('label.ask') });
	#quick = el('div', { class: 'quick', role: 'group', 'aria-label': t('taxa.quick') });
	#none = el('div', { class: 'row', hidden: true }, el('p', { class: 'hint' }, t('taxa.no_match')),
		el('button', { type: 'button', on: { click: () => this.clearFilter() } }, t('looks.clear')));
	#filter = el('input', {
		type: 'search', placeholder: t('taxa.search_short'), 'aria-label': t('taxa.search'), autocomplete: 'off', spellcheck: false,
		'aria-keyshortcuts': '/',
	});
	#lookUp = el('button', {
		type: 'button', class: 'look-up', 'aria-pressed': 'false', 'aria-keyshortcuts': LOOK_UP_KEY, title: t('taxa.look_up_about'),
		on: { click: () => this.lookUp(!this.#isLookingUp) },
	}, t('taxa.look_up'));
	/** @type {HTMLElement|null} the button that had the focus when the answers were disabled */
	#focused = null;
	cantTellKey = CANT_TELL_KEY;
	/** @type {Map<string, Choice>} */
	keys = new Map();

	/**
	 * @param {import('./api.js').Project} project its taxa are in the page's order
	 * @param {(choice: Choice, byPointer: boolean) => void} onChoose
	 * @param {HTMLElement} more the button for more than one species
	 */
	constructor(project, onChoose, more) {
		const { taxa } = project;
		this.#project = project;
		this.#onChoose = onChoose;
		const isPictured = taxa.some((taxon) => taxon.picture);
		const alike = new Set((project.confusions ?? []).flatMap((pair) => pair.taxa));
		for (const taxon of taxa.filter((one) => one.kind !== 'blank')) {
			const button = this.#button({ taxon }, nameOf(taxon), taxon.scientific_name);
			if (isPictured)
				button.prepend(picture(taxon));
			if (alike.has(taxon.id))
				button.append(el('span', { class: 'alike', title: t('taxa.alike') }, '≈', el('span', { class: 'sr' }, t('taxa.alike'))));
			this.#cells.push({ taxon, button });
		}
		this.#grid.append(...this.#cells.map((cell) => cell.button));
		this.#grid.classList.toggle('pictured', isPictured);
		this.#rove(this.#grid);
		this.#rove(this.#quick);
		this.#filter.addEventListener('input', () => say(t('looks.left', { n: this.#apply() })));
		this.#filter.addEventListener('keydown', (event) => this.#onFilterKey(event));
		if (project.looks?.length)
			this.#looks = new Looks(project.looks, this.#cells.map(({ taxon }) => taxon), {
				change: () => this.#apply(), offer: (taxon) => this.#offer(taxon),
			});
		this.#quick.hidden = this.#cells.length < QUICK_FROM;
		this.#lookUp.hidden = !alike.size && !project.pages?.some(({ name }) => name.startsWith('guide/'));
		this.element = el('div', { class: 'answers' },
			taxa.length >= FILTER_FROM ? el('div', { class: 'filter' }, this.#filter, this.#looks?.button, this.#lookUp) : null,
			this.#looks?.element, this.#quick, this.#grid, this.#none,
			this.#always);
		const blank = taxa.find((taxon) => taxon.kind === 'blank');
		this.#always.append(...blank ? [this.#button({ taxon: blank }, t('taxa.nothing'))] : [],
			this.#button({ taxon: null }, t('label.cant_tell')), more);
		this.#setKeys();
		this.suggest();
		this.enable(false);
	}

	/** What a key stands for. @param {KeyboardEvent} event @returns {Choice|undefined} */
	choiceOf(event) {
		return this.keys.get(nameOfKey(event)) ?? this.keys.get(latinKey(event) ?? '');
	}

	/** A taxon is answered with, or looked up. @param {Choice} choice @param {boolean} [byPointer] */
	async choose(choice, byPointer = false) {
		if (!this.#isLookingUp || !choice.taxon || choice.taxon.kind === 'blank') {
			this.#onChoose(choice, byPointer);
			return;
		}
		this.lookUp(false);
		const { openTaxon } = await import('./guide.js');
		openTaxon(this.#project, choice.taxon, (taxon) => this.#onChoose({ taxon }, byPointer));
	}

	/** The next taxon is looked up instead of chosen, or no longer so. @param {boolean} isOn */
	lookUp(isOn) {
		this.#isLookingUp = isOn;
		this.#lookUp.setAttribute('aria-pressed', String(isOn));
		this.element.classList.toggle('looking-up', isOn);
		if (isOn)
			say(t('taxa.look_up_about'));
	}

	/** Keys of the grid itself. @param {KeyboardEvent} event @returns {boolean} whether the key was ours */
	onKey(event) {
		if (event.key === '/')
			this.focusFilter();
		else if (event.key === LOOKS_KEY && this.#looks)
			this.#looks.toggle();
		else if (event.key === LOOK_UP_KEY && !this.#lookUp.hidden)
			this.lookUp(!this.#isLookingUp);
		else if (event.key === 'Escape' && this.#isLookingUp)
			this.lookUp(false);
		else
			return false;
		return true;
	}

	/** Keys of the grid, for the list of keys. @returns {import('./help.js').Shortcut[]} */
	shortcuts() {
		/** @type {[string, string, boolean][]} */
		const all = [['/', t('label.keys_filter'), true], [LOOKS_KEY, t('looks.keys'), this.#looks !== null],
			[LOOK_UP_KEY, t('taxa.look_up_about'), !this.#lookUp.hidden]];
		return all.filter(([, , isThere]) => isThere).map(([key, what]) => [key, what]);
	}

	/** The taxa's own keys, for the list of keys. @returns {import('./help.js').Shortcut[]} */
	nameShortcuts() {
		return this.#cells.flatMap(({ taxon }) => [...this.keys].filter(([, choice]) => choice.taxon === taxon)
			.map(([key]) => /** @type {import('./help.js').Shortcut} */ ([asWritten(key), nameOf(taxon)])));
	}

	/** Lets the person give keys of their own. */
	changeKeys() {
		openKeys(this.#project, () => this.#setKeys());
	}

	/** These were answered with: they are offered first from the next subject on. @param {number[]} taxa */
	used(taxa) {
		this.#recent = [...new Set([...taxa, ...this.#recent])].slice(0, RECENT_MOST);
	}

	/** The row of a new subject: this visit's answers, then what is likely where it was taken. @param {number[]} [likely] */
	suggest(likely = []) {
		if (this.#quick.hidden)
			return;
		const ids = [...new Set([...this.#recent, ...likely])].slice(0, QUICK_MOST);
		const taxa = ids.flatMap((id) => this.#cells.find(({ taxon }) => taxon.id === id)?.taxon ?? []);
		this.#buttons = this.#buttons.filter(({ button }) => !this.#quick.contains(button));
		this.#quick.replaceChildren(...taxa.map((taxon) => this.#offer(taxon)),
			...taxa.length ? [] : [el('p', { class: 'hint' }, t('taxa.quick_none'))]);
		this.#setStop(this.#quick, this.#shown(this.#quick)[0]);
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
		for (const { button } of this.#buttons)
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

	/** Empties the search and the filter by look: the next subject starts with all names. */
	clearFilter() {
		this.lookUp(false);
		this.#looks?.close();
		if (this.#filter.value === '' && !this.#looks?.isOn)
			return;
		this.#filter.value = '';
		this.#looks?.clear();
		this.#apply();
	}

	/** @param {Choice} choice @param {string} name @param {string} [scientific] */
	#button(choice, name, scientific = '') {
		const button = el('button', {
			type: 'button', class: 'choice', title: scientific, on: { click: (event) => this.choose(choice, event.detail > 0) },
		}, el('span', { class: 'name' }, name));
		this.#buttons.push({ choice, button });
		return button;
	}

	/** A small button beside the grid that answers with a taxon. @param {Taxon} taxon */
	#offer(taxon) {
		const button = el('button', {
			type: 'button', class: 'offered', disabled: this.#buttons[0]?.button.disabled,
			on: { click: (event) => this.choose({ taxon }, event.detail > 0) },
		}, taxon.picture ? picture(taxon) : null, el('span', { class: 'name' }, nameOf(taxon)));
		this.#buttons.push({ choice: { taxon }, button });
		return button;
	}

	/** Every button says the key that it has now. */
	#setKeys() {
		const { keys, keyOf } = assignKeys(this.#project.taxa, ownKeys(this.#project.slug));
		this.keys = keys;
		for (const { choice: { taxon }, button } of this.#buttons.filter(({ button: b }) => b.classList.contains('choice'))) {
			const key = taxon === null ? CANT_TELL_KEY : taxon.kind === 'blank' ? ' ' : keyOf.get(taxon.id) ?? '';
			button.querySelector('kbd')?.remove();
			button.removeAttribute('aria-keyshortcuts');
			if (key === '' || areOff())
				continue;
			button.setAttribute('aria-keyshortcuts', shortcut(key) ?? '');
			button.append(badge(key));
		}
	}

	/** Shows what fits the search and the looks. @returns {number} how many */
	#apply() {
		const fitting = this.#cells.filter(({ taxon }) => !this.#looks?.isOn || this.#looks.fits(taxon)).map(({ taxon }) => taxon);
		const found = find(fitting, this.#filter.value);
		const isSearching = this.#filter.value.trim() !== '';
		const rank = (/** @type {Taxon} */ taxon) => found.includes(taxon) ? found.indexOf(taxon) : found.length;
		const order = isSearching ? [...this.#cells].sort((a, b) => rank(a.taxon) - rank(b.taxon)) : this.#cells;
		for (const { taxon, button } of this.#cells)
			button.hidden = !found.includes(taxon);
		this.#grid.append(...order.map(({ button }) => button));
		this.#grid.scrollTop = 0;
		this.#none.hidden = found.length > 0;
		this.#grid.classList.toggle('searching', isSearching && found.length > 0);
		this.#setStop(this.#grid, this.#shown()[0]);
		return found.length;
	}

	/** @param {HTMLElement} [group] */
	#shown(group = this.#grid) {
		return /** @type {HTMLButtonElement[]} */ ([...group.querySelectorAll('button:not([hidden])')]);
	}

	/** @param {KeyboardEvent} event Enter takes the first; Escape leaves. */
	#onFilterKey(event) {
		const first = this.#shown()[0];
		if (event.key === 'Enter' && first && this.#filter.value.trim() !== '') {
			event.preventDefault();
			this.#filter.blur();
			first.click();
		} else if ((event.key === 'Enter' || event.key === 'ArrowDown') && first) {
			event.preventDefault();
			first.focus();
		} else if (event.key === 'Escape') {
			this.clearFilter();
			this.#filter.blur();
		}
	}

	/** One stop of the Tab key for a whole group; arrows move inside it. @param {HTMLElement} group */
	#rove(group) {
		group.addEventListener('keydown', (event) => this.#onGridKey(event, group));
		this.#setStop(group, this.#shown(group)[0]);
	}

	/** @param {HTMLElement} group @param {HTMLButtonElement|undefined} to */
	#setStop(group, to) {
		for (const button of group.querySelectorAll('button'))
			button.tabIndex = button === to ? 0 : -1;
	}

	/** @param {KeyboardEvent} event @param {HTMLElement} group */
	#onGridKey(event, group) {
		const shown = this.#shown(group);
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
			this.#setStop(group, to);
			to.focus();
		}
	}
}

/** The project's picture of a taxon, or its first letter. @param {Taxon} taxon */
function picture(taxon) {
	return taxon.picture ? el('img', { alt: '', width: 96, height: 64, loading: 'lazy', decoding: 'async', fetchPriority: 'low', src: taxon.picture }) :
		el('span', { class: 'letter', 'aria-hidden': 'true' }, nameOf(taxon).charAt(0));
}
