/**
 * One's last answers, each with its picture and a way to change it: those of the server, from whatever device they came,
 * before them those that wait here to be sent. Without a server: those of this tab.
 *
 * @typedef {import('./api.js').Given} Given
 */
import * as api from './api.js';
import { el } from './dom.js';
import { MOST } from './given.js';
import { icon } from './icon.js';
import { t, when } from './lang.js';

/**
 * @param {string} slug @param {import('./outbox.js').Outbox} outbox @param {import('./given.js').Given} given of this tab
 * @param {(answer: Given) => string} inWords
 * @param {(answer: Given) => void} change @param {(subject: number) => void} talk
 */
export async function openRecent(slug, outbox, given, inWords, change, talk) {
	if (document.querySelector('dialog[open]'))
		return;
	const list = el('ul', { class: 'answers-given' }, el('li', { class: 'hint' }, t('recent.loading')));
	const dialog = el('dialog', { class: 'recent', 'aria-labelledby': 'recent-title', on: { close: () => dialog.remove() } },
		el('h2', { id: 'recent-title' }, t('recent.title')), list,
		el('form', { method: 'dialog' }, el('button', { class: 'primary' }, t('recent.close'))));
	document.body.append(dialog);
	dialog.showModal();
	const answers = await lastAnswers(slug, outbox, given);
	const row = (/** @type {Given} */ answer) => el('li', {},
		answer.thumb ? el('img', { src: answer.thumb, alt: '', width: 96, height: 72 }) : null,
		el('span', { class: 'what' }, el('strong', {}, inWords(answer)), el('small', {}, when(new Date(answer.at)))),
		answer.may_undo ? el('button', {
			type: 'button', 'aria-label': t('recent.change_this', { answer: inWords(answer) }),
			on: {
				click: () => {
					dialog.close();
					change(answer);
				},
			},
		}, t('recent.change')) : el('small', {}, t('recent.closed')),
		el('button', {
			type: 'button', class: 'quiet', 'aria-label': t('talk.about', { answer: inWords(answer) }), title: t('talk.about', { answer: inWords(answer) }),
			on: {
				click: () => {
					dialog.close();
					talk(answer.subject);
				},
			},
		}, icon('talk')));
	list.replaceChildren(...answers.length ? answers.map(row) : [el('li', { class: 'hint' }, t('recent.none'))]);
}

/** @param {string} slug @param {import('./outbox.js').Outbox} outbox @param {import('./given.js').Given} given @returns {Promise<Given[]>} newest first */
async function lastAnswers(slug, outbox, given) {
	const mine = given.list.map(({ uuid, task, at, body }) => ({ ...body, uuid, at, thumb: task.frames[0]?.thumb, may_undo: true })).reverse();
	const waiting = outbox.waiting.filter((entry) => entry.project === slug);
	const gone = new Set(waiting.filter((entry) => entry.kind === 'undo').map((entry) => entry.body.of));
	const unsent = new Set(waiting.filter((entry) => entry.kind === 'answer').map((entry) => entry.uuid));
	const known = await api.getAnswers(slug, MOST).catch((cause) => {
		if (!(cause instanceof api.ApiError))
			throw cause;
		return null;
	});
	const sent = known?.answers ?? mine.filter((answer) => !unsent.has(answer.uuid));
	return [...mine.filter((answer) => unsent.has(answer.uuid)), ...sent]
		.filter((answer, i, all) => !gone.has(answer.uuid) && all.findIndex((other) => other.uuid === answer.uuid) === i)
		.slice(0, MOST);
}
