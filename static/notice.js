/** What the page says to the person: quiet news for everybody and screen readers, and problems that stay until closed. */
import { el } from './dom.js';
import { sentence, t } from './lang.js';

const TOGETHER_MS = 700;
const news = /** @type {HTMLElement} */ (document.getElementById('news'));
const problems = /** @type {HTMLElement} */ (document.getElementById('problems'));

/** What was told a moment ago: another text joins it there, because one that takes its place would never be read. */
let told = '';
/** @type {ReturnType<typeof setTimeout>|undefined} */
let forgetting;

/** Tells a screen reader, politely, after what it was told just now. @param {string} text */
export function say(text) {
	told = `${told} ${text}`.trim();
	news.textContent = told;
	clearTimeout(forgetting);
	forgetting = setTimeout(() => {
		told = '';
	}, TOGETHER_MS);
}

/** @param {'alert'|'status'} role @param {string} text */
function show(role, text) {
	const box = el('div', { class: role === 'status' ? 'problem note' : 'problem', role }, el('p', {}, text),
		el('button', { type: 'button', class: 'quiet', 'aria-label': t('notice.close'), on: { click: () => box.remove() } }, '✕'));
	problems.append(box);
}

/**
 * Shows a problem until it is closed. The same text is shown once.
 * @param {string} text one line: what went wrong and what happens now
 */
export function showProblem(text) {
	if (![...problems.children].some((shown) => shown.querySelector('p')?.textContent === text))
		show('alert', text);
}

/**
 * Shows something that is worth knowing, in the place of the last such, until it is closed or the person goes elsewhere.
 * @param {string} text
 */
export function showNote(text) {
	problems.querySelector('.note')?.remove();
	show('status', text);
}

/** Shows what a failed promise says. @param {unknown} cause @param {string} [before] */
export function showError(cause, before = '') {
	const text = cause instanceof Error ? cause.message : String(cause);
	showProblem(before ? `${before}: ${text}.` : sentence(text));
}

/** Takes every shown problem away: the person went elsewhere. */
export function clearProblems() {
	problems.replaceChildren();
}
