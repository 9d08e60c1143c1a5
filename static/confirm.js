/**
 * The confirm card: what the model takes the subject for, one key for yes, one for something else.
 *
 * @typedef {import('./api.js').Taxon} Taxon
 */
import { el } from './dom.js';
import { inLanguage, t } from './lang.js';

/** Keys of the card; the answers' own keys wait until the whole survey is asked for. */
const YES_KEY = 'Enter';
export const OTHER_KEY = 'n';

export class Confirm {
	#name = el('strong', { class: 'name' });
	#scientific = el('i', {});
	#picture = el('img', { alt: '', width: 96, height: 72, hidden: true });
	#yes;
	#other;
	/** @type {Taxon|null} the guess on the card; null: there is no card */
	guess = null;

	/** @param {(isYes: boolean, byPointer: boolean) => void} onAnswer */
	constructor(onAnswer) {
		this.#yes = el('button', {
			type: 'button', class: 'choice yes', 'aria-keyshortcuts': YES_KEY, on: { click: (event) => onAnswer(true, event.detail > 0) },
		}, el('span', { class: 'name' }, t('confirm.yes')), el('kbd', { 'aria-hidden': 'true' }, t('confirm.key')));
		this.#other = el('button', {
			type: 'button', class: 'choice', 'aria-keyshortcuts': OTHER_KEY, on: { click: (event) => onAnswer(false, event.detail > 0) },
		}, el('span', { class: 'name' }, t('confirm.other')), el('kbd', { 'aria-hidden': 'true' }, OTHER_KEY));
		this.element = el('div', { class: 'confirm', role: 'group', 'aria-label': t('confirm.ask'), hidden: true },
			el('p', { class: 'guess' }, el('span', {}, t('confirm.guess')), this.#name, this.#scientific, this.#picture),
			el('div', { class: 'replies' }, this.#yes, this.#other));
		this.enable(false);
	}

	/** @param {Taxon|null} guess null: no card */
	show(guess) {
		this.guess = guess;
		this.element.hidden = !guess;
		this.#name.textContent = guess ? nameOf(guess) : '';
		this.#scientific.textContent = guess?.scientific_name ?? '';
		this.#picture.hidden = !guess?.picture;
		if (guess?.picture)
			this.#picture.src = guess.picture;
	}

	/** @param {boolean} on */
	enable(on) {
		this.#yes.disabled = this.#other.disabled = !on;
	}

	/** Whether a key is one of the card's, and then which answer. @param {string} key @returns {boolean|undefined} */
	answerOf(key) {
		return key === YES_KEY ? true : key.toLowerCase() === OTHER_KEY ? false : undefined;
	}
}

/** @param {Taxon} taxon */
export function nameOf(taxon) {
	return taxon.kind === 'blank' ? t('taxa.nothing') : inLanguage(taxon.common_name, taxon.names);
}
