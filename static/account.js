/**
 * Who uses this browser: anonymous at first, with an account later. Dialogs to sign up, log in and log out.
 *
 * @typedef {import('./api.js').Me} Me
 */
import * as api from './api.js';
import { el } from './dom.js';
import { askingForm, openForm, passwordField } from './form.js';
import { t } from './lang.js';
import { say, showError, showProblem } from './notice.js';

/** Holds `me`; event `change` when somebody else uses the browser or the numbers moved. */
export class Account extends EventTarget {
	/** @type {Me|null} null: not known yet */
	me = null;
	#outbox;

	/** @param {import('./outbox.js').Outbox} outbox */
	constructor(outbox) {
		super();
		this.#outbox = outbox;
		outbox.addEventListener('stranger', () => this.refresh().catch(() => null)); // the outbox tries again by itself
	}

	/** Asks the server who this is; the first time makes an anonymous volunteer. */
	async refresh() {
		this.#set(await api.getMe());
	}

	/** @param {string} slug */
	isExpert(slug) {
		return this.me !== null && (this.me.admin || (this.me.roles[slug] ?? []).includes('expert'));
	}

	/** @param {'login'|'signup'} how @param {string} name @param {string} password */
	async enter(how, name, password) {
		await this.#outbox.sendNow(); // so that the answers given so far are there to be claimed
		this.#set(await (how === 'login' ? api.logIn(name, password) : api.signUp(name, password)));
	}

	/** @param {boolean} [everywhere] every session ends */
	async leave(everywhere = false) {
		await this.#outbox.sendNow();
		const n = this.#outbox.waiting.length;
		await api.logOut(everywhere);
		if (n > 0)
			showProblem(t('account.unsent', { n }));
		await this.refresh();
	}

	/** By the administrator's link. @param {string} token @param {string} password */
	async accept(token, password) {
		await this.#outbox.sendNow();
		this.#set(await api.acceptInvite(token, password));
	}

	/** Deletes what is kept about the person, here too. @param {string|null} password @param {'keep'|'take'} answers */
	async forget(password, answers) {
		await this.#outbox.sendNow();
		await api.deleteMe(password, answers);
		for (const { uuid } of [...this.#outbox.waiting, ...this.#outbox.refused])
			await this.#outbox.dismiss(uuid);
		await this.refresh();
	}

	/** @param {Me} me */
	#set(me) {
		if (this.me && this.me.id !== me.id)
			api.forgetAsked();
		this.me = me;
		this.#outbox.setOwner(me);
		this.dispatchEvent(new Event('change'));
	}
}

/**
 * The part of the page's head that says who one is.
 * @param {Account} account
 * @param {HTMLElement} place
 */
export function showAccount(account, place) {
	const draw = () => {
		const { me } = account;
		if (!me)
			place.replaceChildren();
		else if (me.anonymous)
			place.replaceChildren(
				el('button', { type: 'button', on: { click: () => openDialog(account, 'login') } }, t('account.login')),
				el('button', { type: 'button', class: 'signup', on: { click: () => openDialog(account, 'signup') } }, t('account.signup')));
		else
			place.replaceChildren(
				el('a', { class: 'who', href: '#/me' }, me.name ?? ''),
				el('button', {
					type: 'button', class: 'logout', on: { click: () => account.leave().catch((cause) => showError(cause, t('account.logout_failed'))) },
				}, t('account.logout')));
	};
	account.addEventListener('change', draw);
	draw();
}

/** What a refusal means here. @type {Record<string, Record<number, import('./lang.js').Key>>} */
const REFUSALS = { login: { 403: 'account.wrong' }, signup: { 409: 'account.taken' } };

/** @param {Account} account @param {'login'|'signup'} how */
function openDialog(account, how) {
	const isSignup = how === 'signup';
	const title = t(`account.${how}`);
	const name = el('input', { name: 'name', required: true, maxLength: 60, autocomplete: 'username', autocapitalize: 'none' });
	const password = passwordField('password', t('account.password'), isSignup ? 'new-password' : 'current-password');
	openForm('account-title', title, (close) => {
		const form = askingForm(title, [
			el('p', { class: 'hint' }, t(`account.${how}_about`)), el('label', {}, t('account.name'), name), password.field,
		], async () => {
			await account.enter(how, name.value.trim(), password.input.value);
			close();
			say(t('account.welcome', { name: account.me?.name ?? '' }));
		}, { cancel: close, refusals: REFUSALS[how] });
		form.append(el('button', {
			type: 'button', class: 'link', on: {
				click: () => {
					close();
					openDialog(account, isSignup ? 'login' : 'signup');
				},
			},
		}, t(isSignup ? 'account.to_login' : 'account.to_signup')));
		return form;
	});
}
