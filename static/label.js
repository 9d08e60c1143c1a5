/**
 * The labelling screen: one subject at a time, answered by key, click or touch. An answer is kept in the outbox, the next
 * subject is on screen at once, and the last answer can be taken back.
 *
 * @typedef {import('./keys.js').Choice} Choice
 */
import { Aids } from './aids.js';
import * as api from './api.js';
import { Cards } from './cards.js';
import { aboutButton, compareButton } from './compare.js';
import { Confirm, OTHER_KEY, nameOf } from './confirm.js';
import { el, isTyping } from './dom.js';
import { emptyText, thanks } from './empty.js';
import { tell } from './feedback.js';
import { Given } from './given.js';
import { setShortcuts } from './help.js';
import { icon } from './icon.js';
import { inLanguage, t } from './lang.js';
import { say, showError, showProblem } from './notice.js';
import { newUuid } from './outbox.js';
import { Pause } from './pause.js';
import { Queue } from './queue.js';
import { openRecent } from './recent.js';
import { Draft } from './survey.js';
import { Taxa } from './taxa.js';
import { Viewer } from './viewer.js';

class LabelScreen {
	/** @type {Queue} */
	#queue;
	/** @type {Given} */
	#given;
	/** @type {api.Given|null} the answer that is being changed */
	#before = null;
	#cards = new Cards();
	#pause = new Pause(this.#cards, () => this.#enough());
	/** @type {number|null} performance.now() when the picture on screen was shown; null: answers are off */
	#shown_ms = null;
	#isExpert = false;
	/** @type {import('./item.js').Item|null} on screen */
	#item = null;
	/** The whole survey was asked for instead of the card. */
	#wantsSurvey = false;
	#ask = el('h2', { class: 'ask' });
	/** @type {number|undefined} whose leases and answers these are */
	#volunteer;
	#listening = new AbortController();
	/** @type {HTMLButtonElement} */
	#more;
	/** @type {Aids} */
	#aids;
	#last = el('span', { class: 'last' });
	#recent = el('button', {
		type: 'button', class: 'recent', 'aria-label': t('recent.open'), title: t('recent.open'), 'aria-keyshortcuts': 'Shift+Backspace',
		on: { click: () => this.#openRecent() },
	}, icon('list'));
	#undo = el('button', {
		type: 'button', class: 'undo', disabled: true, title: t('label.keys_undo'), 'aria-keyshortcuts': 'Backspace', on: { click: () => this.undo() },
	}, icon('undo'), el('span', { class: 'word' }, t('label.undo')), el('kbd', { 'aria-hidden': 'true' }, '⌫'));
	#work = el('div', { class: 'work' });
	#empty = el('section', { class: 'empty', hidden: true, 'aria-live': 'polite' });
	#switch = el('input', { type: 'checkbox', role: 'switch', on: { change: () => this.#setQueue(this.#switch.checked) } });
	#switchLabel = el('label', { class: 'switch', hidden: true }, this.#switch, t('label.expert_queue'));

	/**
	 * @param {HTMLElement} main
	 * @param {api.Project} project
	 * @param {import('./account.js').Account} account
	 * @param {import('./outbox.js').Outbox} outbox
	 */
	constructor(main, project, account, outbox) {
		this.project = project;
		this.account = account;
		this.outbox = outbox;
		this.draft = new Draft(project.survey ?? {}, {
			change: (byPointer) => this.#onDraft(byPointer), done: (byPointer) => this.#finish(byPointer),
		});
		this.#more = el('button', {
			type: 'button', class: 'more', disabled: true, 'aria-keyshortcuts': '+',
			on: {
				click: () => {
					this.draft.another();
					this.#onDraft(false);
				},
			},
		}, t('label.several'), el('kbd', { 'aria-hidden': 'true' }, '+'));
		this.taxa = new Taxa(project, (choice, byPointer) => this.answer(choice, byPointer), this.#more);
		this.confirm = new Confirm((isYes, byPointer) => this.#onConfirm(isYes, byPointer));
		this.viewer = new Viewer((item) => this.#onShown(item), () => this.#queue.skip());
		this.#aids = new Aids(project, account, outbox, () => this.#item?.task.subject, this.#listening.signal);
		this.#work.append(this.viewer.element,
			el('div', { class: 'side' }, this.#ask, this.draft.element, this.taxa.element, this.confirm.element));
		main.replaceChildren(el('div', { class: 'label' },
			el('div', { class: 'top' }, el('h1', { tabIndex: -1 }, inLanguage(project.title, project.titles)), this.#switchLabel,
				this.#aids.element, el('div', { class: 'given' }, this.#last, this.#recent, this.#undo)),
			this.#work, this.#empty, this.#cards.element, this.#aids.offer));

		const { signal } = this.#listening;
		document.addEventListener('keydown', (event) => this.#onKey(event), { signal });
		account.addEventListener('change', () => this.#onAccount(), { signal });
		outbox.addEventListener('refused', (event) => {
			const { entry } = /** @type {CustomEvent} */ (event).detail;
			showProblem(t('label.refused', { label: entry.label, reason: entry.reason }));
		}, { signal });
		outbox.addEventListener('sent', (event) => {
			const { entry, reply } = /** @type {CustomEvent} */ (event).detail;
			if (entry.project === project.slug && entry.kind === 'answer')
				this.#tell(entry, reply);
		}, { signal });
		setShortcuts(() => this.#shortcuts());
		this.#volunteer = account.me?.id;
		this.#given = this.#recall();
		this.#switchLabel.hidden = !account.isExpert(project.slug);
		this.#queue = this.#open();
	}

	close() {
		this.#listening.abort();
		this.#queue.stop();
		this.viewer.close();
	}

	/** A choice is an answer, unless more is asked about it or it joins others. @param {Choice} choice @param {boolean} [byPointer] */
	async answer(choice, byPointer = false) {
		const { taxon } = choice;
		if (this.#shown_ms === null)
			return;
		if (taxon && this.draft.takes(taxon)) {
			this.draft.add(taxon);
			this.taxa.clearFilter();
			this.#onDraft(byPointer);
		} else if (!this.draft.isOpen) {
			const label = taxon ? nameOf(taxon) : t('label.cant_tell');
			await this.#give({
				answer: taxon ? 'taxa' : 'cant_tell', taxa: taxon ? [{ taxon: taxon.id, count: null }] : [],
			}, label, byPointer);
		}
	}

	/** The draft is whole. @param {boolean} byPointer */
	async #finish(byPointer) {
		if (this.#shown_ms === null || this.draft.n === 0)
			return;
		const { taxa, several, label } = this.draft.answer();
		await this.#give({ answer: 'taxa', taxa, ...(several && { several }) }, label, byPointer);
	}

	/** @param {boolean} byPointer */
	#onDraft(byPointer) {
		const { isOpen, wantsName } = this.draft;
		this.taxa.setAdding(isOpen ? this.draft.taxa : null);
		this.taxa.element.hidden = !wantsName || Boolean(this.confirm.guess);
		if (byPointer)
			this.viewer.focus();
	}

	/**
	 * @param {Pick<api.Classification, 'answer'|'taxa'|'several'>} given @param {string} label in words
	 * @param {boolean} byPointer
	 */
	async #give(given, label, byPointer) {
		const item = this.#queue.current;
		if (this.#shown_ms === null || !item)
			return;
		const duration_ms = Math.round(performance.now() - this.#shown_ms);
		/** @type {api.Classification} */
		const body = { uuid: newUuid(), subject: item.task.subject, ...given, duration_ms };
		if (this.#isExpert)
			body.queue = 'expert';
		this.#enable(false);
		try {
			await this.outbox.answer(this.project.slug, body, label);
		} catch (cause) {
			showError(cause, t('label.cannot_keep'));
			this.#enable(true);
			return;
		}
		this.#given.add({ uuid: body.uuid, task: item.task, label, at: new Date().toISOString(), body });
		this.#before = null;
		this.#drawGiven();
		this.taxa.used(given.taxa.map(({ taxon }) => taxon));
		say(`${label}.`);
		this.taxa.clearFilter();
		this.#aids.closeOffer();
		this.#queue.advance();
		this.#pause.count(Date.now());
		if (byPointer)
			this.viewer.focus();
	}

	/** Enough for today: what is held goes back to the others, at once where the server can be reached. */
	#enough() {
		this.#cards.close();
		const held = this.#queue.items.map((item) => item.task.subject);
		this.#queue.stop();
		this.#showItem(null);
		this.#work.hidden = true;
		this.#empty.hidden = false;
		this.#empty.replaceChildren(...thanks(() => {
			this.#queue = this.#open();
			this.#draw();
		}));
		say(t('empty.enough'));
		api.release(this.project.slug, held).catch(() => null); // they run out by themselves
	}

	/** @param {import('./store.js').Entry} entry @param {api.Reply} reply */
	#tell(entry, reply) {
		tell(this.#cards, {
			said: entry.label, given: (entry.body.taxa ?? []).map((/** @type {api.Named} */ one) => one.taxon),
			thumb: this.#given.find(entry.uuid)?.task.frames[0]?.thumb,
		}, reply, (id) => this.#nameById(id), ...this.#whatHelps(entry.body.taxa ?? [], reply.truth));
	}

	/** Why an expert says so: what tells the two apart, else what there is to read of the one. @param {api.Named[]} said @param {number} [truth] */
	#whatHelps(said, truth) {
		const button = truth ? (said.length === 1 && compareButton(this.project, said[0].taxon, truth)) || aboutButton(this.project, truth) : null;
		return button ? [button] : [];
	}

	/** @param {number} id */
	#nameById(id) {
		const taxon = this.project.taxa.find((one) => one.id === id);
		return taxon ? nameOf(taxon) : t('label.something');
	}

	/** @param {boolean} isYes @param {boolean} byPointer */
	#onConfirm(isYes, byPointer) {
		if (this.#shown_ms === null)
			return;
		const { guess } = this.confirm;
		const hadFocus = this.confirm.element.contains(document.activeElement);
		if (!isYes || this.draft.takes(guess)) { // more is asked: of something else, or of the guess that is right
			this.#wantsSurvey = true;
			this.#pose();
			this.#allow(true);
		}
		if (isYes) {
			this.answer({ taxon: guess }, byPointer);
			return;
		}
		say(t('label.ask'));
		if (hadFocus && !byPointer)
			/** @type {HTMLElement|null} */ (this.taxa.element.querySelector('.taxa .choice:not([hidden])'))?.focus();
	}

	/** Puts the question of the subject on screen: a card where there is a guess, else the survey. */
	#pose() {
		const id = this.#wantsSurvey ? null : this.#item?.task.guess;
		const guess = this.project.taxa.find((taxon) => taxon.id === id) ?? null;
		this.confirm.show(guess);
		this.#onDraft(false);
		this.#ask.textContent = !guess && this.#before ? t('recent.ask_again', { answer: this.#inWords(this.#before) }) :
			t(guess ? 'label.confirm' : 'label.ask');
	}

	/** Takes the last answer back and shows its subject again. */
	async undo() {
		const { last } = this.#given;
		if (last)
			await this.#takeBack(last.uuid, last.task.subject, last.label);
	}

	/** @param {string} uuid @param {number} subject @param {string} label */
	async #takeBack(uuid, subject, label) {
		const kept = this.#given.find(uuid);
		const volunteer = this.#volunteer;
		if (this.#queue.isStopped)
			this.#queue = this.#open(); // it was enough for today, and is not
		this.#given.remove(uuid);
		this.#cards.close('feedback');
		this.#enable(false);
		this.#undo.disabled = true;
		this.#last.textContent = t('label.undoing', { label });
		try {
			const outcome = await this.outbox.undo(this.project.slug, uuid, subject, label);
			const task = typeof outcome === 'string' ? kept?.task : outcome;
			if (task && this.#volunteer === volunteer)
				this.#queue.giveBack(task);
			say(t('label.undone', { label }));
		} catch {
			say(t('label.cannot_undo', { label })); // the refusal itself is shown by the listener above
			this.#before = null;
		}
		this.#draw();
		this.#drawGiven();
	}

	#openRecent() {
		openRecent(this.project.slug, this.outbox, this.#given, (answer) => this.#inWords(answer), (answer) => {
			this.#before = answer;
			this.#takeBack(answer.uuid, answer.subject, this.#inWords(answer));
		}, (subject) => this.#aids.talk(subject));
	}

	/** @param {api.Given} answer */
	#inWords(answer) {
		return answer.answer === 'taxa' ? answer.taxa.map(({ taxon }) => this.#nameById(taxon)).join(' + ') : t('label.cant_tell');
	}

	/** @returns {Queue} */
	#open() {
		const queue = new Queue(this.project.slug, this.#isExpert, this.outbox, this.#isExpert ? 0 : this.project.n_open);
		queue.addEventListener('change', () => this.#draw());
		queue.addEventListener('stolen', () => say(t('label.elsewhere')));
		queue.addEventListener('stranger', () => this.account.refresh().catch(() => null)); // the queue asks again by itself
		queue.fill();
		return queue;
	}

	/** @param {boolean} isExpert */
	#setQueue(isExpert) {
		this.#queue.stop();
		this.#isExpert = isExpert;
		this.#switch.checked = isExpert;
		this.#given = this.#recall();
		this.#before = null;
		this.#showItem(null);
		this.#queue = this.#open();
		this.#draw();
	}

	/** Somebody else uses the browser now: other leases, perhaps other rights, and not their answers to take back. */
	#onAccount() {
		const { me } = this.account;
		if (me?.id === this.#volunteer)
			return;
		this.#volunteer = me?.id;
		this.#cards.close();
		const mayJudge = this.account.isExpert(this.project.slug);
		this.#switchLabel.hidden = !mayJudge;
		this.#setQueue(this.#isExpert && mayJudge);
	}

	/** Brings the screen up to date with the queue. */
	#draw() {
		const { current, state } = this.#queue;
		this.#work.hidden = !current;
		this.#empty.hidden = Boolean(current);
		if (current) {
			if (this.#item !== current)
				this.#showItem(current);
			else if (this.#shown_ms === null && current.peek(0) && this.viewer.isShowing(current))
				this.#onShown(current);
			return;
		}
		this.#showItem(null);
		this.#empty.replaceChildren(...emptyText(state, this.#isExpert, this.#queue.error, () => this.#queue.fill()));
	}

	/** @param {import('./item.js').Item|null} item */
	#showItem(item) {
		this.#item = item;
		const frame = item?.task.frames[0];
		if (frame)
			this.#work.style.setProperty('--aspect', String(frame.width / frame.height));
		if (this.#before?.subject !== item?.task.subject)
			this.#before = null;
		this.#wantsSurvey = this.#before !== null;
		this.draft.close();
		if (this.#before?.answer === 'taxa')
			this.draft.fill(this.#before, this.project.taxa);
		this.taxa.suggest(item?.task.likely);
		this.#enable(false);
		this.#pose();
		this.viewer.show(item);
	}

	/** @param {import('./item.js').Item} item */
	#onShown(item) {
		if (item !== this.#queue.current)
			return;
		this.#enable(true);
		this.#aids.welcome();
		const n = item.task.frames.length;
		const { guess } = this.confirm;
		this.#work.dataset.subject = String(item.task.subject);
		say(t('label.pictures', { n }) + (guess ? ` ${t('label.card', { name: nameOf(guess) })}` : ''));
	}

	/** @param {boolean} on */
	#enable(on) {
		this.#shown_ms = on ? performance.now() : null;
		this.#allow(on);
	}

	/** @param {boolean} on */
	#allow(on) {
		this.#more.disabled = !on || Boolean(this.confirm.guess);
		this.draft.element.inert = !on;
		this.taxa.enable(on && !this.confirm.guess);
		this.confirm.enable(on);
	}

	/** @param {KeyboardEvent} event */
	#onKey(event) {
		if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || isTyping(event.target) ||
			document.querySelector('dialog[open]'))
			return;
		const target = /** @type {HTMLElement} */ (event.target);
		const isOnButton = target.matches('button, a, input') && (event.key === ' ' || event.key === 'Enter');
		if (isOnButton)
			return;
		const isCard = this.confirm.guess !== null;
		if (!this.#work.hidden && this.viewer.onKey(event)) {
			event.preventDefault();
			return;
		}
		if (this.#shown_ms !== null && !isCard && !event.repeat && this.draft.onKey(event)) {
			event.preventDefault();
			return;
		}
		const confirmed = isCard ? this.confirm.answerOf(event.key) : undefined;
		const choice = isCard ? undefined : this.taxa.choiceOf(event);
		if (confirmed !== undefined && !event.repeat)
			this.#onConfirm(confirmed, false);
		else if (choice && !event.repeat)
			this.taxa.choose(choice);
		else if (event.key === 'Backspace' && event.shiftKey)
			this.#openRecent();
		else if (event.key === 'Backspace' && !event.repeat)
			this.undo();
		else if (event.key === 'Enter' && this.#pause.goOn())
			this.viewer.focus();
		else if (event.key === 'Escape' && (this.viewer.leave() || this.#cards.close()))
			this.viewer.focus();
		else if (!choice && (isCard || !this.taxa.onKey(event)) && !this.#aids.onKey(event))
			return;
		event.preventDefault();
	}

	/** @returns {import('./help.js').Group[]} */
	#shortcuts() {
		return [
			{ title: t('help.picture'), keys: this.viewer.shortcuts() },
			{
				title: t('help.answer'), keys: [
					[t('keys.space'), t('label.keys_nothing')],
					[this.taxa.cantTellKey, t('label.keys_cant_tell')],
					['+', t('label.keys_several')],
					[`${t('confirm.key')} ${OTHER_KEY}`, t('label.keys_card')],
					[t('label.key_backspace'), t('label.keys_undo')],
					[`${t('recent.shift')} ${t('label.key_backspace')}`, t('recent.key')],
					...this.taxa.shortcuts(), ...this.#aids.shortcuts(),
				],
			},
			{ title: t('help.survey'), keys: this.draft.shortcuts() },
			{ title: t('help.names'), keys: this.taxa.nameShortcuts(), change: () => this.taxa.changeKeys() },
		];
	}

	/** This tab's last answers. */
	#recall() {
		const given = new Given(this.project.slug, this.#isExpert, this.#volunteer);
		this.#drawGiven(given);
		return given;
	}

	#drawGiven(given = this.#given) {
		this.#last.textContent = given.last?.label ?? '';
		this.#undo.disabled = !given.last;
	}
}

/**
 * @param {HTMLElement} main @param {string} slug
 * @param {import('./account.js').Account} account @param {import('./outbox.js').Outbox} outbox
 * @param {AbortSignal} signal another screen is wanted
 * @returns {Promise<() => void>} leaves the screen
 */
export async function showLabel(main, slug, account, outbox, signal) {
	const project = await api.getProject(slug);
	signal.throwIfAborted();
	document.title = `${inLanguage(project.title, project.titles)} · topi`;
	const screen = new LabelScreen(main, project, account, outbox);
	return () => screen.close();
}
