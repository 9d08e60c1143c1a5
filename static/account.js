/**
 * Who uses this browser: anonymous at first, with an account later. Dialogs to sign up, log in and log out.
 *
 * @typedef {import('./api.js').Me} Me
 */
import * as api from './api.js';
import { el, plural } from './dom.js';
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

	async leave() {
		await this.#outbox.sendNow();
		const n = this.#outbox.waiting.length;
		await api.logOut();
		if (n > 0)
			showProblem(`${plural(n, 'answer')} of yours could not be sent yet. They stay in this browser and are sent when you log in again.`);
		await this.refresh();
	}

	/** @param {Me} me */
	#set(me) {
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
				el('button', { type: 'button', on: { click: () => openDialog(account, 'login') } }, 'Log in'),
				el('button', { type: 'button', class: 'signup', on: { click: () => openDialog(account, 'signup') } }, 'Sign up'));
		else
			place.replaceChildren(
				el('span', { class: 'who' }, me.name ?? ''),
				el('button', {
					type: 'button', on: { click: () => account.leave().catch((cause) => showError(cause, 'Logging out failed')) },
				}, 'Log out'));
	};
	account.addEventListener('change', draw);
	draw();
}

const WORDS = {
	login: {
		title: 'Log in', other: 'signup', otherText: 'No account yet? Sign up', complete: 'current-password',
		about: 'Answers you gave here without an account become yours.',
	},
	signup: {
		title: 'Sign up', other: 'login', otherText: 'Have an account? Log in', complete: 'new-password',
		about: 'Keep the answers you gave here, and go on from any device. A name and a password are all it takes.',
	},
};

/** @param {Account} account @param {'login'|'signup'} how */
function openDialog(account, how) {
	const words = WORDS[how];
	const name = el('input', { name: 'name', required: true, maxLength: 60, autocomplete: 'username', autocapitalize: 'none' });
	const password = el('input', {
		name: 'password', type: 'password', required: true, minLength: how === 'signup' ? 8 : 1, maxLength: 200,
		autocomplete: words.complete,
	});
	const problem = el('p', { class: 'refusal', role: 'alert' });
	const submit = el('button', { type: 'submit', class: 'primary' }, words.title);
	const form = el('form', {},
		el('h2', { id: 'account-title' }, words.title), el('p', { class: 'hint' }, words.about),
		el('label', {}, 'Name', name),
		el('label', {}, 'Password', password, how === 'signup' ? el('small', {}, 'at least 8 characters') : null),
		problem,
		el('div', { class: 'row' }, submit, el('button', { type: 'button', on: { click: () => dialog.close() } }, 'Cancel')),
		el('button', {
			type: 'button', class: 'link', on: {
				click: () => {
					dialog.close();
					openDialog(account, /** @type {'login'|'signup'} */ (words.other));
				},
			},
		}, words.otherText));
	const dialog = el('dialog', { class: 'account', 'aria-labelledby': 'account-title', on: { close: () => dialog.remove() } }, form);
	form.addEventListener('submit', async (event) => {
		event.preventDefault();
		submit.disabled = true;
		problem.textContent = '';
		try {
			await account.enter(how, name.value.trim(), password.value);
			dialog.close();
			say(`You are logged in as ${account.me?.name}.`);
		} catch (cause) {
			if (!(cause instanceof api.ApiError))
				throw cause;
			problem.textContent = `${cause.message.charAt(0).toUpperCase()}${cause.message.slice(1)}.`;
			password.focus();
		} finally {
			submit.disabled = false;
		}
	});
	document.body.append(dialog);
	dialog.showModal();
}
