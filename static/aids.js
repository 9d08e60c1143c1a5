/**
 * What stands beside the answering: the guide, the practice, the flag of the subject on screen, and what is said of the last
 * one answered. Each is fetched when it is first wanted, so that the first picture does not wait for it.
 */
import { hasPage } from './compare.js';
import { el } from './dom.js';
import { icon } from './icon.js';
import { t } from './lang.js';

const FLAG_KEY = '!';
const TALK_KEY = '"';
const LEARN_KEY = '@';

/** @param {string} slug */
const practised_at = (slug) => `topi.practised.${slug}`;

export class Aids {
	#project;
	#account;
	#subject;
	/** @type {number|null} the last subject that was answered and is at the server */
	#answered = null;
	#isOffered = false;
	#flag = this.#button('flag', t('flag.open'), FLAG_KEY, () => this.#openFlag());
	#talk = this.#button('talk', t('talk.open'), TALK_KEY, () => this.talk(this.#answered));
	#learn = this.#button('learn', t('guide.learn'), LEARN_KEY, () => this.#openLearn());
	element = el('div', { class: 'aids' }, this.#learn, this.#flag, this.#talk);
	/** Where the practice is offered on the first visit. */
	offer = el('aside', { class: 'practice-offer', hidden: true });

	/**
	 * @param {import('./api.js').Project} project @param {import('./account.js').Account} account
	 * @param {import('./outbox.js').Outbox} outbox @param {() => number|undefined} subject on screen
	 * @param {AbortSignal} signal the screen is left
	 */
	constructor(project, account, outbox, subject, signal) {
		this.#project = project;
		this.#account = account;
		this.#subject = subject;
		this.#talk.disabled = true;
		outbox.addEventListener('sent', (event) => {
			const { entry } = /** @type {CustomEvent} */ (event).detail;
			if (entry.project !== project.slug)
				return;
			this.#answered = entry.kind === 'answer' ? entry.subject : null;
			this.#talk.disabled = this.#answered === null;
		}, { signal });
		signal.addEventListener('abort', () => this.offer.remove());
	}

	/** @param {KeyboardEvent} event @returns {boolean} whether the key was ours */
	onKey(event) {
		const button = { [FLAG_KEY]: this.#flag, [TALK_KEY]: this.#talk, [LEARN_KEY]: this.#learn }[event.key];
		if (!event.repeat) // what it opens may still be on its way
			button?.click();
		return button !== undefined;
	}

	/** Keys, for the list of keys. @returns {import('./help.js').Shortcut[]} */
	shortcuts() {
		return [[LEARN_KEY, t('guide.learn')], [FLAG_KEY, t('flag.open')], [TALK_KEY, t('talk.open')]];
	}

	/** The first picture is there: to somebody new a practice is offered, once. */
	async welcome() {
		if (this.#isOffered)
			return;
		this.#isOffered = true;
		if ((this.#account.me?.n_answers ?? 0) > 0 || wasOffered(this.#project.slug))
			return;
		const { getPractice } = await import('./api.js');
		const { items } = await getPractice(this.#project.slug).catch(() => ({ items: [] }));
		if (items.length === 0)
			return;
		const close = () => this.closeOffer();
		this.offer.replaceChildren(el('p', {}, t('practice.offer', { n: items.length })), el('div', { class: 'row' },
			el('button', {
				type: 'button', class: 'primary', on: {
					click: () => {
						close();
						this.#openPractice();
					},
				},
			}, t('practice.begin')),
			el('button', { type: 'button', on: { click: close } }, t('practice.skip'))));
		this.offer.hidden = false;
	}

	/** Whoever answers has begun without it. */
	closeOffer() {
		if (this.offer.hidden)
			return;
		this.offer.hidden = true;
		noteOffered(this.#project.slug);
	}

	/** @param {'flag'|'learn'|'talk'} sign @param {string} name @param {string} key @param {() => void} act */
	#button(sign, name, key, act) {
		return el('button', { type: 'button', class: `aid ${sign}-aid`, title: name, 'aria-label': name, 'aria-keyshortcuts': key, on: { click: act } },
			icon(sign));
	}

	async #openFlag() {
		const subject = this.#subject();
		if (subject !== undefined)
			(await import('./flag.js')).openFlag(this.#project, subject);
	}

	/** What is said of a subject that one has answered. @param {number|null} subject */
	async talk(subject) {
		if (subject !== null)
			(await import('./talk.js')).openTalk(this.#project, subject, this.#mayModerate);
	}

	async #openPractice() {
		(await import('./practice.js')).openPractice(this.#project);
	}

	get #mayModerate() {
		const { me } = this.#account;
		return Boolean(me?.admin || me?.roles[this.#project.slug]?.includes('moderator'));
	}

	/** What there is to read and to try, by name. */
	#openLearn() {
		const guide = () => import('./guide.js');
		/** @type {[string, boolean, () => void][]} */
		const all = [
			[t('guide.guide'), hasPage(this.#project, 'guide'), async () => (await guide()).openPage(this.#project, 'guide')],
			[t('guide.tutorial'), hasPage(this.#project, 'tutorial'), async () => (await guide()).openPage(this.#project, 'tutorial')],
			[t('practice.title'), true, () => this.#openPractice()],
			[t('talk.moderation'), this.#mayModerate || this.#account.isExpert(this.#project.slug),
				async () => (await import('./talk.js')).openModeration(this.#project, this.#mayModerate)],
		];
		const dialog = el('dialog', { class: 'learn', 'aria-labelledby': 'learn-title', on: { close: () => dialog.remove() } },
			el('h2', { id: 'learn-title' }, t('guide.learn')),
			...all.filter(([, isThere]) => isThere).map(([name, , act]) => el('button', {
				type: 'button', on: {
					click: () => {
						dialog.close();
						act();
					},
				},
			}, name)),
			el('form', { method: 'dialog' }, el('button', { class: 'quiet' }, t('main.close'))));
		document.body.append(dialog);
		dialog.showModal();
	}
}

/** @param {string} slug */
function wasOffered(slug) {
	try {
		return localStorage.getItem(practised_at(slug)) !== null;
	} catch {
		return true; // it could not be remembered, and would come every time
	}
}

/** @param {string} slug */
function noteOffered(slug) {
	try {
		localStorage.setItem(practised_at(slug), 'offered');
	} catch {
		// See wasOffered.
	}
}
