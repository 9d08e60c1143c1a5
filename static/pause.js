/**
 * A gentle stop: after a while of work a card says what was done and offers to end there. It covers nothing, takes nothing and
 * waits for nothing; who goes on working goes on.
 */
import { el } from './dom.js';
import { t } from './lang.js';
import { say } from './notice.js';

const KEPT = 'topi.pause';
const MOST_ANSWERS = 200;
const MOST_MS = 45 * 60_000;
/** Whoever gave no answer for so long has had a pause. */
const REST_MS = 10 * 60_000;

/** @typedef {{since_ms: number, last_ms: number, n: number}} Stretch of work without a rest, over reloads of this tab */

export class Pause {
	#cards;
	#onEnough;

	/** @param {import('./cards.js').Cards} cards @param {() => void} onEnough */
	constructor(cards, onEnough) {
		this.#cards = cards;
		this.#onEnough = onEnough;
	}

	/** An answer was given. @param {number} now_ms */
	count(now_ms) {
		let stretch = recall();
		if (!stretch || now_ms - stretch.last_ms > REST_MS)
			stretch = { since_ms: now_ms, last_ms: now_ms, n: 0 };
		stretch.n++;
		stretch.last_ms = now_ms;
		keep(stretch);
		if (stretch.n < MOST_ANSWERS && now_ms - stretch.since_ms < MOST_MS)
			return;
		this.#show(stretch);
		keep({ since_ms: now_ms, last_ms: now_ms, n: 0 }); // the next card comes after as much again
	}

	/** Takes the card away. @returns {boolean} whether there was one */
	goOn() {
		return this.#cards.close('pause');
	}

	/** @param {Stretch} stretch */
	#show({ since_ms, last_ms, n }) {
		const answers = t('pause.answers', { n });
		const minutes = t('pause.minutes', { n: Math.max(1, Math.round((last_ms - since_ms) / 60_000)) });
		this.#cards.show('pause',
			el('div', { class: 'told' },
				el('strong', {}, t('pause.title')),
				el('p', {}, t('pause.done', { answers, minutes })),
				el('div', { class: 'row' },
					el('button', { type: 'button', on: { click: () => this.goOn() } }, t('pause.go_on')),
					el('button', { type: 'button', on: { click: () => this.#onEnough() } }, t('pause.enough')))));
		say(`${t('pause.title')} ${t('pause.done', { answers, minutes })}`);
	}
}

/** @returns {Stretch|null} */
function recall() {
	try {
		return JSON.parse(sessionStorage.getItem(KEPT) ?? 'null');
	} catch {
		return null;
	}
}

/** @param {Stretch} stretch */
function keep(stretch) {
	try {
		sessionStorage.setItem(KEPT, JSON.stringify(stretch));
	} catch {
		// No card then: it is a courtesy.
	}
}
