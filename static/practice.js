/**
 * The practice: a few subjects whose answer is known, each with one thing to try and an explanation after the answer. Nothing
 * of it is sent or kept. The viewer, the names and their keys are those of the labelling screen.
 *
 * @typedef {{frames: import('./api.js').Frame[], taxa: number[], why: string|null}} Exercise
 * @typedef {'flip'|'zoom'|'name'|'several'|'nothing'|'cant_tell'} Lesson
 */
import * as api from './api.js';
import { comparison, filesOf, looksLike } from './compare.js';
import { nameOf } from './confirm.js';
import { el, isTyping } from './dom.js';
import { Item } from './item.js';
import { t } from './lang.js';
import { render } from './markdown.js';
import { say, showNote } from './notice.js';
import { Draft } from './survey.js';
import { Taxa } from './taxa.js';
import { Viewer } from './viewer.js';

/**
 * A lesson for every exercise: what only some can teach first, then what any can.
 * @param {Exercise[]} exercises @param {Set<number>} blank taxa of nothing
 * @returns {Lesson[]}
 */
function lessonsFor(exercises, blank) {
	/** @type {[Lesson, (exercise: Exercise) => boolean][]} */
	const lessons = [['several', ({ taxa }) => taxa.length > 1], ['nothing', ({ taxa }) => taxa.some((taxon) => blank.has(taxon))],
		['flip', ({ frames }) => frames.length > 1], ['zoom', () => true], ['name', () => true], ['cant_tell', () => true]];
	/** @type {Lesson[]} */
	const given = [];
	for (const [lesson, fits] of lessons) {
		const i = exercises.findIndex((exercise, k) => !given[k] && fits(exercise));
		if (i >= 0)
			given[i] = lesson;
	}
	return exercises.map((_, i) => given[i] ?? 'name');
}

class Practice {
	#project;
	#exercises;
	#lessons;
	#i = -1;
	#isExplaining = false;
	#step = el('p', { class: 'step-of' });
	#lesson = el('p', { class: 'lesson' });
	#explained = el('section', { class: 'explained', hidden: true, 'aria-live': 'polite' });
	#more = el('button', { type: 'button', class: 'more', 'aria-keyshortcuts': '+', on: { click: () => this.#draft.another() } },
		t('label.several'), el('kbd', { 'aria-hidden': 'true' }, '+'));
	#draft = new Draft({}, { change: () => this.#onDraft(), done: () => this.#finish() });
	#taxa;
	#viewer = new Viewer(() => this.#taxa.enable(true), () => this.#next());
	dialog;

	/** @param {import('./api.js').Project} project @param {Exercise[]} exercises */
	constructor(project, exercises) {
		this.#project = project;
		this.#exercises = exercises;
		this.#lessons = lessonsFor(exercises, new Set(project.taxa.filter(({ kind }) => kind === 'blank').map(({ id }) => id)));
		this.#taxa = new Taxa(project, ({ taxon }) => this.#choose(taxon), this.#more);
		this.#more.addEventListener('click', () => this.#onDraft());
		this.dialog = el('dialog', {
			class: 'practice', 'aria-labelledby': 'practice-title', on: {
				close: () => {
					this.#viewer.close();
					this.dialog.remove();
				},
				keydown: (event) => this.#onKey(event),
			},
		}, el('div', { class: 'top' }, el('h2', { id: 'practice-title' }, t('practice.title')), this.#step,
			el('button', { type: 'button', class: 'quiet', on: { click: () => this.dialog.close() } }, t('practice.leave'))),
		this.#lesson,
		el('div', { class: 'exercise' }, this.#viewer.element, el('div', { class: 'side' }, this.#draft.element, this.#taxa.element, this.#explained)));
		this.#next();
	}

	#next() {
		this.#i++;
		if (this.#i === this.#exercises.length) {
			this.dialog.close();
			return;
		}
		const { frames } = this.#exercises[this.#i];
		const item = new Item({ task: 0, subject: 0, expires: '', guess: null, frames });
		this.#isExplaining = false;
		this.#explained.hidden = true;
		this.#draft.close();
		this.#taxa.clearFilter();
		this.#taxa.enable(false);
		this.#onDraft();
		this.#step.textContent = t('practice.step', { i: this.#i + 1, n: this.#exercises.length });
		this.#lesson.textContent = t(`practice.${this.#lessons[this.#i]}`);
		say(this.#lesson.textContent);
		this.#viewer.element.style.setProperty('--aspect', String(frames[0].width / frames[0].height));
		this.#viewer.show(item);
		this.#viewer.focus();
		item.preload();
	}

	#onDraft() {
		this.#taxa.setAdding(this.#draft.isOpen ? this.#draft.taxa : null);
		this.#taxa.element.hidden = this.#isExplaining;
		this.#more.disabled = this.#isExplaining;
	}

	/** @param {import('./api.js').Taxon|null} taxon null: can't tell */
	#choose(taxon) {
		if (this.#isExplaining)
			return;
		if (taxon && this.#draft.takes(taxon)) {
			this.#draft.add(taxon);
			this.#taxa.clearFilter();
			this.#onDraft();
		} else if (!this.#draft.isOpen)
			this.#explain(taxon ? [taxon.id] : []);
	}

	#finish() {
		if (this.#draft.n > 0)
			this.#explain([...this.#draft.taxa]);
	}

	/** @param {number[]} said taxa; none: can't tell */
	async #explain(said) {
		const { taxa, why } = this.#exercises[this.#i];
		const names = (/** @type {number[]} */ ids) => ids.map((id) => this.#project.taxa.find((taxon) => taxon.id === id))
			.map((taxon) => taxon ? nameOf(taxon) : t('label.something')).join(' + ');
		const isRight = said.length === taxa.length && taxa.every((taxon) => said.includes(taxon));
		const isLast = this.#i === this.#exercises.length - 1;
		const truth = names(taxa);
		this.#isExplaining = true;
		this.#draft.close();
		this.#onDraft();
		const alike = taxa.length === 1 && said.length === 1 && !isRight ?
			looksLike(this.#project, said[0]).find((pair) => pair.taxa.includes(taxa[0])) : undefined;
		const next = el('button', { type: 'button', class: 'primary', on: { click: () => this.#next() } }, isLast ? t('practice.done') : t('practice.next'));
		this.#explained.replaceChildren(
			el('h3', { class: isRight ? 'right' : 'wrong' },
				isRight ? t('practice.right', { name: truth }) : said.length ? t('practice.wrong', { name: truth, said: names(said) }) :
					t('practice.unsure', { name: truth })),
			...why ? [render(why, filesOf(this.#project))] : [],
			...alike ? [await comparison(this.#project, alike)] : [],
			el('div', { class: 'row' }, next, isLast ? el('p', { class: 'hint' }, t('practice.end')) : null));
		this.#explained.hidden = false;
		next.focus();
	}

	/** @param {KeyboardEvent} event */
	#onKey(event) {
		const target = /** @type {HTMLElement} */ (event.target);
		if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || event.repeat || isTyping(target) ||
			(target.matches('button, a') && (event.key === ' ' || event.key === 'Enter')) || document.querySelector('dialog[open] ~ dialog[open]'))
			return;
		if (this.#viewer.onKey(event))
			event.preventDefault();
		if (event.defaultPrevented || this.#isExplaining)
			return;
		if ((event.key !== 'Escape' || this.#draft.isOpen) && this.#draft.onKey(event))
			this.#onDraft();
		else {
			const choice = this.#taxa.choiceOf(event);
			if (choice)
				this.#taxa.choose(choice);
			else if (!this.#taxa.onKey(event))
				return;
		}
		event.preventDefault();
	}
}

/** @param {import('./api.js').Project} project */
export async function openPractice(project) {
	const { items } = await api.getPractice(project.slug).catch(() => ({ items: [] }));
	if (items.length === 0) {
		showNote(t('practice.none'));
		return;
	}
	const { dialog } = new Practice(project, items);
	document.body.append(dialog);
	dialog.showModal();
}
