/**
 * What a volunteer says beyond one species: several of them, and what the project asks about each (its survey). While it is
 * open it holds the answer that is being made; the labelling screen sends it.
 *
 * @typedef {import('./api.js').Taxon} Taxon
 * @typedef {import('./api.js').Survey} Survey
 * @typedef {{taxon: Taxon, count: number|null, young: boolean, behaviours: Set<string>, sex: string|null,
 *            life_stage: string|null}} Species
 * @typedef {{key: string, name: string, text: string, isOn: (s: Species) => boolean, toggle: (s: Species) => void}} Option
 * @typedef {{legend: string, wide: boolean, options: Option[]}} Question
 */
import { nameOf } from './confirm.js';
import { el } from './dom.js';
import { inLanguage, t } from './lang.js';

/** Bins: exact up to ten, then by their least number. @type {[key: string, name: string, count: number][]} */
const COUNTS = [
	...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => /** @type {[string, string, number]} */ ([String(n), String(n), n])),
	['0', '10', 10], ['-', '11–50', 11], ['=', '51+', 51],
];
const SEXES = /** @type {const} */ ([['f', 'female'], ['m', 'male']]);
const LIFE_STAGES = /** @type {const} */ ([['a', 'adult'], ['u', 'subadult'], ['j', 'juvenile']]);

/** Whether a project asks anything about an animal. @param {Survey} survey */
const asks = (survey) => Boolean(survey.count || survey.young || survey.sex || survey.life_stage || survey.behaviours?.length);

/**
 * The questions with a key for every option; a behaviour gets the first letter of its name that is free.
 * @param {Survey} survey
 * @returns {Question[]}
 */
function questionsOf(survey) {
	/** @type {Question[]} */
	const questions = [];
	const taken = new Set([...'+']);
	/** @param {'sex'|'life_stage'} member @param {string} legend @param {typeof SEXES | typeof LIFE_STAGES} words */
	const oneOf = (member, legend, words) => questions.push({
		legend, wide: true,
		options: words.map(([key, name]) => ({
			key, name, text: t(`survey.${name}`), isOn: (s) => s[member] === name,
			toggle: (s) => {
				s[member] = s[member] === name ? null : name;
			},
		})),
	});
	if (survey.count)
		questions.push({
			legend: t('survey.count'), wide: false,
			options: COUNTS.map(([key, name, count]) => ({
				key, name, text: name, isOn: (s) => s.count === count,
				toggle: (s) => {
					s.count = s.count === count ? null : count;
				},
			})),
		});
	if (survey.young)
		questions.push({
			legend: t('survey.young'), wide: true,
			options: [{
				key: 'y', name: 'young', text: t('survey.young_there'), isOn: (s) => s.young,
				toggle: (s) => {
					s.young = !s.young;
				},
			}],
		});
	if (survey.sex)
		oneOf('sex', t('survey.sex'), SEXES);
	if (survey.life_stage)
		oneOf('life_stage', t('survey.life_stage'), LIFE_STAGES);
	for (const question of questions)
		for (const { key } of question.options)
			taken.add(key);
	if (survey.behaviours?.length)
		questions.push({
			legend: t('survey.behaviours'), wide: true,
			options: survey.behaviours.map((name) => {
				const key = [...name.toLowerCase(), ...'abcdefghijklmnopqrstuvwxyz'].find((c) => /[a-z]/.test(c) && !taken.has(c)) ?? '';
				taken.add(key);
				return {
					key, name, text: inLanguage(name, survey.behaviour_names?.[name]), isOn: (s) => s.behaviours.has(name),
					toggle: (s) => void (s.behaviours.delete(name) || s.behaviours.add(name)),
				};
			}),
		});
	return questions;
}

export class Draft {
	/** @type {Species[]} */
	#species = [];
	/** Another species is looked for: the names are shown, the questions are not. */
	#isChoosing = false;
	#isSeveral = false;
	#survey;
	#questions;
	#on;
	#chips = el('div', { class: 'chips', role: 'group', 'aria-label': t('survey.species') });
	#asked = el('div', { class: 'asked' });
	#another = el('button', {
		type: 'button', 'aria-keyshortcuts': '+', on: { click: (event) => this.#act(() => this.another(), event) },
	}, t('survey.another'), el('kbd', { 'aria-hidden': 'true' }, '+'));
	#done = el('button', {
		type: 'button', class: 'primary', 'aria-keyshortcuts': 'Enter', on: { click: (event) => this.#on.done(event.detail > 0) },
	}, t('survey.done'), el('kbd', { 'aria-hidden': 'true' }, '↵'));
	element = el('section', { class: 'draft', hidden: true, 'aria-label': t('survey.answer') },
		this.#chips, this.#asked, el('div', { class: 'row' }, this.#another, this.#done));

	/**
	 * @param {Survey} survey
	 * @param {{change: (byPointer: boolean) => void, done: (byPointer: boolean) => void}} on something changed; it is whole
	 */
	constructor(survey, on) {
		this.#survey = survey;
		this.#questions = questionsOf(survey);
		this.#on = on;
	}

	get isOpen() {
		return this.#isSeveral || this.#species.length > 0;
	}

	/** The names are wanted: nothing is chosen yet, another species is, or nothing is asked about them. */
	get wantsName() {
		return !this.isOpen || this.#isChoosing;
	}

	get n() {
		return this.#species.length;
	}

	/** Ids of the species chosen so far. */
	get taxa() {
		return new Set(this.#species.map((s) => s.taxon.id));
	}

	/** Whether choosing this one opens the draft, or adds to it. @param {Taxon} taxon */
	takes(taxon) {
		return taxon.kind !== 'blank' && (this.isOpen || (taxon.kind === 'animal' && asks(this.#survey)));
	}

	/** @param {Taxon} taxon One that is there already is taken out again. */
	add(taxon) {
		if (this.#species.some((s) => s.taxon.id === taxon.id))
			this.#species = this.#species.filter((s) => s.taxon.id !== taxon.id);
		else
			this.#species.push({ taxon, count: null, young: false, behaviours: new Set(), sex: null, life_stage: null });
		this.#isChoosing = !this.#isAsked;
		this.#draw();
	}

	/** More than one species: from now on a name adds to the answer. */
	another() {
		this.#isSeveral = true;
		this.#isChoosing = true;
		this.#draw();
	}

	/**
	 * Opens with an answer that was given before, where it is one that a draft would have made.
	 * @param {Pick<import('./api.js').Classification, 'taxa'|'several'>} answer @param {Taxon[]} taxa of the project
	 */
	fill({ taxa: named, several = false }, taxa) {
		const species = named.flatMap((one) => {
			const taxon = taxa.find((t) => t.id === one.taxon);
			return taxon ? [{
				taxon, count: one.count, young: one.young ?? false, behaviours: new Set(one.behaviours), sex: one.sex ?? null,
				life_stage: one.life_stage ?? null,
			}] : [];
		});
		if (!several && !(species.length === 1 && this.takes(species[0].taxon)))
			return;
		this.#species = species;
		this.#isSeveral = several;
		this.#isChoosing = !this.#isAsked;
		this.#draw();
	}

	/** Takes the last step back: the looking for another name, the last species, the draft itself. */
	back() {
		if (this.#isChoosing && this.#isAsked) {
			this.#isChoosing = false;
			this.#isSeveral = this.#species.length > 1;
		} else if (this.#species.length > 1)
			this.#species.pop();
		else
			this.close();
		this.#draw();
	}

	close() {
		this.#species = [];
		this.#isChoosing = false;
		this.#isSeveral = false;
		this.#draw();
	}

	/** @param {KeyboardEvent} event @returns {boolean} whether the key was ours */
	onKey(event) {
		if (event.key === '+')
			this.another();
		else if (!this.isOpen)
			return false;
		else if (event.key === 'Escape')
			this.back();
		else if (event.key === 'Enter')
			this.#on.done(false);
		else if (this.wantsName)
			return false;
		else if (!this.#toggle(event.key.toLowerCase()))
			return /^[\p{L}\p{N} ]$/u.test(event.key); // an answer's key, of no use before this one is given
		this.#on.change(false);
		return true;
	}

	/** As the server takes it. @returns {{taxa: import('./api.js').Named[], several: boolean, label: string}} */
	answer() {
		const { young, behaviours } = this.#survey;
		return {
			taxa: this.#species.map((s) => ({
				taxon: s.taxon.id, count: s.count,
				...(s.taxon.kind === 'animal' && young && { young: s.young }),
				...(s.taxon.kind === 'animal' && behaviours?.length && { behaviours: [...s.behaviours] }),
				...(s.sex && { sex: s.sex }),
				...(s.life_stage && { life_stage: s.life_stage }),
			})),
			several: this.#isSeveral,
			label: this.#species.map((s) => nameOf(s.taxon)).join(' + '),
		};
	}

	/** The keys of the questions, for the list of keys. @returns {import('./help.js').Shortcut[]} */
	shortcuts() {
		return this.#questions.map((q) => [q.options.map((o) => o.key).join(' '), q.legend.toLowerCase().replace('?', '')]);
	}

	/** The species that is asked about; a person or a vehicle is asked nothing. */
	get #isAsked() {
		return this.#species.at(-1)?.taxon.kind === 'animal' && this.#questions.length > 0;
	}

	/** @param {string} key */
	#toggle(key) {
		const current = this.#species.at(-1);
		const option = this.#questions.flatMap((q) => q.options).find((o) => o.key === key);
		if (current && option)
			option.toggle(current);
		this.#draw();
		return option !== undefined;
	}

	/** @param {() => void} change @param {MouseEvent} event */
	#act(change, event) {
		change();
		this.#draw();
		this.#on.change(event.detail > 0);
	}

	#draw() {
		const current = this.#species.at(-1);
		const focused = /** @type {HTMLElement|null} */ (document.activeElement)?.dataset?.option;
		this.element.hidden = !this.isOpen;
		this.#chips.replaceChildren(...this.#species.length ? this.#species.map((s) => el('button', {
			type: 'button', class: 'chip', 'aria-label': t('survey.take_out', { name: nameOf(s.taxon) }),
			on: { click: (event) => this.#act(() => this.add(s.taxon), event) },
		}, nameOf(s.taxon), el('span', { 'aria-hidden': 'true' }, '×'))) : [el('p', { class: 'hint' }, t('survey.choose'))]);
		this.#asked.hidden = this.wantsName;
		this.#asked.replaceChildren(...current && !this.wantsName ? this.#questions.map((q) => this.#question(q, current)) : []);
		this.#another.hidden = this.#isChoosing;
		this.#done.disabled = this.#species.length === 0;
		if (focused)
			/** @type {HTMLElement|null} */ (this.#asked.querySelector(`[data-option="${CSS.escape(focused)}"]`))?.focus();
	}

	/** @param {Question} question @param {Species} species */
	#question(question, species) {
		return el('fieldset', { class: question.wide ? 'question wide' : 'question' },
			el('legend', {}, question.legend),
			...question.options.map((option) => {
				const button = el('button', {
					type: 'button', class: 'option', 'aria-pressed': String(option.isOn(species)), 'aria-keyshortcuts': option.key || null,
					on: { click: (event) => this.#act(() => option.toggle(species), event) },
				}, option.text, option.key && option.key !== option.text ? el('kbd', { 'aria-hidden': 'true' }, option.key) : null);
				button.dataset.option = option.name;
				return button;
			}));
	}
}
