/** What a person may do with an account and with what is kept: a new password, an invitation to one, everything deleted. */
import * as api from './api.js';
import { el } from './dom.js';
import { askingForm, openForm, passwordField } from './form.js';
import { setShortcuts } from './help.js';
import { t } from './lang.js';
import { say } from './notice.js';

/** @typedef {import('./account.js').Account} Account */

export function openPassword() {
	const old = passwordField('old', t('mine.old'), 'current-password');
	const next = passwordField('new', t('mine.new'), 'new-password');
	openForm('password-title', t('mine.password'), (close) => askingForm(t('mine.password'), [old.field, next.field], async () => {
		await api.changePassword(old.input.value, next.input.value);
		close();
		say(t('mine.changed'));
	}, { cancel: close, refusals: { 403: 'mine.wrong' } }));
}

/** @param {Account} account */
export function openDelete(account) {
	const isAnonymous = account.me?.anonymous ?? true;
	const password = passwordField('password', t('account.password'), 'current-password');
	const choice = (/** @type {'keep'|'take'} */ value) => el('label', { class: 'either' },
		el('input', { type: 'radio', name: 'answers', value, checked: value === 'keep' }),
		el('span', {}, t(`mine.${value}`), el('small', {}, t(`mine.${value}_about`))));
	const answers = el('fieldset', {}, el('legend', {}, t('mine.answers')), choice('keep'), choice('take'));
	openForm('delete-title', t('mine.delete'), (close) => askingForm(t('mine.delete'), [
		el('p', {}, t('mine.delete_about')), answers, ...isAnonymous ? [] : [password.field],
	], async () => {
		const chosen = /** @type {HTMLInputElement} */ (answers.querySelector(':checked')).value;
		await account.forget(isAnonymous ? null : password.input.value, /** @type {'keep'|'take'} */ (chosen));
		close();
		location.hash = '#/';
		say(t('mine.deleted'));
	}, { cancel: close, refusals: { 403: 'mine.wrong' } }));
}

/**
 * Where the administrator's link leads: a new password for an account.
 * @param {HTMLElement} main @param {string} token @param {Account} account
 */
export function showInvite(main, token, account) {
	setShortcuts(() => []);
	const next = passwordField('new', t('mine.new'), 'new-password');
	main.replaceChildren(el('section', { class: 'invited' },
		el('h1', { tabIndex: -1 }, t('mine.invite')), el('p', {}, t('mine.invite_about')),
		askingForm(t('account.login'), [next.field], async () => {
			await account.accept(token, next.input.value);
			location.hash = '#/';
			say(t('account.welcome', { name: account.me?.name ?? '' }));
		}, { refusals: { 404: 'mine.used' } })));
	return () => {};
}
