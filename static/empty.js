/** What the labelling screen says when it has no subject to show. */
import { drawing, el } from './dom.js';

/**
 * @param {import('./queue.js').QueueState} state
 * @param {boolean} isExpert
 * @param {Error|null} error
 * @param {() => void} onAgain
 * @returns {Node[]}
 */
export function emptyText(state, isExpert, error, onAgain) {
	const again = el('button', { type: 'button', class: 'primary', on: { click: onAgain } }, 'Look again');
	const home = el('a', { class: 'button', href: '#/' }, 'All projects');
	const page = (/** @type {string} */ title, /** @type {string} */ text, /** @type {Node[]} */ ...buttons) =>
		[drawing('dusk'), el('h2', {}, title), el('p', {}, text), el('div', { class: 'row' }, ...buttons)];
	switch (state) {
	case 'done':
		return isExpert ?
			page('No expert is needed', 'Nothing waits in the expert queue right now.', home) :
			page('All is labelled', 'Every sighting in this project has its label. Thank you!', home);
	case 'seen':
		return page('You have seen everything for now',
			'What is still open, you have answered already, or others are looking at it at this moment. ' +
			'This page looks again by itself.', again, home);
	case 'unsent':
		return page('Waiting to send your answers',
			'The next sightings come once the answers in this browser have reached the server.', again);
	case 'error':
		return page('No new sightings', `${sentence(error?.message ?? 'the server cannot be reached')} ` +
			'Answers already given are safe in this browser. This page tries again by itself.', again, home);
	case 'loading':
	case 'ready':
		return [el('p', { class: 'wait' }, 'Fetching sightings …')];
	}
	throw new Error(`no such state: ${state}`);
}

/** @param {string} text */
function sentence(text) {
	return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
