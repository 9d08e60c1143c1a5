/**
 * What is said of a subject, for those who have answered it: before that it would tell them what to answer. Moderators hide
 * what does not belong there, with a reason.
 */
import * as api from './api.js';
import { el } from './dom.js';
import { date, t } from './lang.js';

const MOST = 500;

/** @typedef {import('./api.js').Project} Project */

/** @param {string} title @param {(Node|null)[]} body */
function show(title, ...body) {
	const dialog = el('dialog', { class: 'talk', 'aria-labelledby': 'talk-title', on: { close: () => dialog.remove() } },
		el('h2', { id: 'talk-title' }, title), ...body,
		el('form', { method: 'dialog' }, el('button', {}, t('main.close'))));
	document.body.append(dialog);
	dialog.showModal();
}

/** @param {unknown} cause */
const problem = (cause) => el('p', { class: 'refusal', role: 'alert' }, t('talk.failed', { problem: /** @type {Error} */ (cause).message }));

/** @param {Project} project @param {api.Comment} comment @param {boolean} mayHide @param {() => void} changed */
function entry(project, comment, mayHide, changed) {
	const { id, name, at, text, mine, hidden } = comment;
	const reason = el('input', { type: 'text', required: true, maxLength: 200, 'aria-label': t('talk.reason'), placeholder: t('talk.reason') });
	const act = async (/** @type {string} */ why) => {
		try {
			await api.hideComment(project.slug, id, !hidden, why);
			changed();
		} catch (cause) {
			item.append(problem(cause));
		}
	};
	const form = el('form', {
		class: 'hide', hidden: true, on: {
			submit: (event) => {
				event.preventDefault();
				act(reason.value);
			},
		},
	}, reason, el('button', {}, t('talk.hide')));
	const ask = () => {
		form.hidden = false;
		reason.focus();
	};
	const item = el('li', { class: hidden ? 'comment hidden-comment' : 'comment' },
		el('p', { class: 'hint' }, el('strong', {}, mine ? t('talk.you') : name ?? t('talk.somebody')), ` · ${date(new Date(at))}`,
			hidden ? ` · ${t('talk.is_hidden')}` : ''),
		el('p', { class: 'said' }, text),
		mayHide ? el('button', { type: 'button', class: 'link', on: { click: () => hidden ? act('') : ask() } }, hidden ? t('talk.unhide') : t('talk.hide')) : null,
		mayHide ? form : null);
	return item;
}

/** The thread of a subject that one has answered. @param {Project} project @param {number} subject @param {boolean} mayHide */
export function openTalk(project, subject, mayHide) {
	const list = el('ol', { class: 'comments' });
	const text = el('textarea', { maxLength: MOST, rows: 3, required: true, 'aria-label': t('talk.yours'), placeholder: t('talk.yours') });
	const failed = el('div');
	const button = el('button', { class: 'primary' }, t('talk.send'));
	const load = async () => {
		try {
			const { comments } = await api.getComments(project.slug, subject);
			list.replaceChildren(...comments.map((comment) => entry(project, comment, mayHide, load)),
				...comments.length ? [] : [el('li', { class: 'hint' }, t('talk.none'))]);
		} catch (cause) {
			failed.replaceChildren(problem(cause));
		}
	};
	const send = async (/** @type {SubmitEvent} */ event) => {
		event.preventDefault();
		failed.replaceChildren();
		button.disabled = true;
		try {
			await api.addComment(project.slug, subject, text.value.trim());
			text.value = '';
			await load();
		} catch (cause) {
			failed.replaceChildren(problem(cause));
		} finally {
			button.disabled = false;
		}
	};
	show(t('talk.title'), list,
		el('form', { on: { submit: send } }, text, failed, button));
	load();
}

/**
 * Recent comments and flags of a project.
 * @param {Project} project @param {boolean} mayHide comments
 */
export function openModeration(project, mayHide) {
	const place = el('div', { class: 'moderation' });
	const failed = el('div');
	const load = async () => {
		try {
			const { comments, flags } = await api.getModeration(project.slug);
			place.replaceChildren(
				el('h3', {}, t('talk.flags')),
				flags.length ? el('ul', { class: 'flagged' }, ...flags.map(flagged)) : el('p', { class: 'hint' }, t('talk.no_flags')),
				el('h3', {}, t('talk.comments')),
				el('ol', { class: 'comments' }, ...comments.map((comment) => {
					const item = entry(project, comment, mayHide, load);
					item.prepend(el('small', {}, t('talk.subject', { id: String(comment.subject) })));
					return item;
				}), ...comments.length ? [] : [el('li', { class: 'hint' }, t('talk.none'))]));
		} catch (cause) {
			failed.replaceChildren(problem(cause));
		}
	};
	/** @param {{subject: number, kind: api.Flag, n: number, thumb?: string}} flag a picture that is hidden from this person has none */
	const flagged = ({ subject, kind, n, thumb }) => el('li', {},
		thumb ? el('img', { src: thumb, alt: '', width: 96, height: 72, loading: 'lazy' }) : null,
		el('span', {}, t(`flag.${kind}`), ` × ${n}`), el('small', {}, t('talk.subject', { id: String(subject) })),
		el('button', {
			type: 'button', on: {
				click: async () => {
					failed.replaceChildren();
					try {
						await api.closeFlags(project.slug, subject, kind);
						await load();
					} catch (cause) {
						failed.replaceChildren(problem(cause));
					}
				},
			},
		}, t('talk.looked_at')));
	show(t('talk.moderation'), failed, place);
	load();
}
