/** What the labelling screen says when it has no subject to show. */
import { drawing, el } from './dom.js';
import { sentence, t } from './lang.js';

/**
 * @param {import('./queue.js').QueueState} state
 * @param {boolean} isExpert
 * @param {Error|null} error
 * @param {() => void} onAgain
 * @returns {Node[]}
 */
export function emptyText(state, isExpert, error, onAgain) {
	const again = el('button', { type: 'button', class: 'primary', on: { click: onAgain } }, t('empty.again'));
	const home = el('a', { class: 'button', href: '#/' }, t('main.all'));
	const page = (/** @type {string} */ title, /** @type {string} */ text, /** @type {Node[]} */ ...buttons) =>
		[drawing('dusk'), el('h2', {}, title), el('p', {}, text), el('div', { class: 'row' }, ...buttons)];
	switch (state) {
	case 'done':
		return isExpert ?
			page(t('empty.expert_done'), t('empty.expert_done_about'), home) :
			page(t('empty.done'), t('empty.done_about'), home);
	case 'seen':
		return page(t('empty.seen'), t('empty.seen_about'), again, home);
	case 'unsent':
		return page(t('empty.unsent'), t('empty.unsent_about'), again);
	case 'error':
		return page(t('empty.error'), t('empty.error_about', { problem: sentence(error?.message ?? t('api.unreachable')) }), again, home);
	case 'loading':
	case 'ready':
		return [el('p', { class: 'wait' }, t('empty.loading'))];
	}
	throw new Error(`no such state: ${state}`);
}

/** After the last answer of a day. @param {() => void} onGoOn @returns {Node[]} */
export function thanks(onGoOn) {
	return [drawing('dusk'), el('h2', {}, t('empty.enough')), el('p', {}, t('empty.enough_about')),
		el('div', { class: 'row' }, el('a', { class: 'button primary', href: '#/' }, t('main.all')),
			el('button', { type: 'button', on: { click: onGoOn } }, t('pause.go_on')))];
}
