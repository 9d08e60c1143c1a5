/** A form that asks the server for something: its button rests meanwhile, and a refusal is said in its place. */
import { ApiError } from './api.js';
import { el } from './dom.js';
import { sentence, t } from './lang.js';

/**
 * @param {string} title of the button
 * @param {Node[]} fields
 * @param {() => Promise<void>} send throws the server's refusal
 * @param {{cancel?: () => void, refusals?: Record<number, import('./lang.js').Key>}} [more] what a status means here
 */
export function askingForm(title, fields, send, { cancel, refusals = {} } = {}) {
	const problem = el('p', { class: 'refusal', role: 'alert' });
	const submit = el('button', { type: 'submit', class: 'primary' }, title);
	const form = el('form', { class: 'asking' }, ...fields, problem,
		el('div', { class: 'row' }, submit,
			cancel ? el('button', { type: 'button', on: { click: cancel } }, t('account.cancel')) : null));
	form.addEventListener('submit', async (event) => {
		event.preventDefault();
		submit.disabled = true;
		problem.textContent = '';
		try {
			await send();
		} catch (cause) {
			if (!(cause instanceof ApiError))
				throw cause;
			const known = refusals[cause.status];
			problem.textContent = sentence(known ? t(known) : cause.message);
			/** @type {HTMLElement|null} */ (form.querySelector('[type="password"]'))?.focus();
		} finally {
			submit.disabled = false;
		}
	});
	return form;
}

/** Such a form in a dialog. @param {string} id @param {string} title @param {(close: () => void) => HTMLFormElement} form */
export function openForm(id, title, form) {
	const dialog = el('dialog', { 'aria-labelledby': id, on: { close: () => dialog.remove() } },
		el('h2', { id }, title), form(() => dialog.close()));
	document.body.append(dialog);
	dialog.showModal();
}

/** @param {string} name @param {string} label @param {'current-password'|'new-password'} complete */
export function passwordField(name, label, complete) {
	const isNew = complete === 'new-password';
	const input = el('input', {
		name, type: 'password', required: true, minLength: isNew ? LEAST : 1, maxLength: 200, autocomplete: complete,
	});
	return { input, field: el('label', {}, label, input, isNew ? el('small', {}, t('account.least', { n: LEAST })) : null) };
}

const LEAST = 8;
