/**
 * The subjects ahead of the volunteer. items[0] is on screen; AHEAD more are kept behind it, leased and decoded, and for one
 * who has begun to answer as many as the server leases: they can be answered when the line breaks. A lease that ended
 * makes its subject wait until the server says who has it now; where the server does not say, it is shown all the same,
 * for the answer is taken. The server alone says that nothing is left, and no subject comes up that was answered here.
 *
 * Events: `change` (items or state changed), `stolen` (the subject on screen was answered in another tab), `stranger`
 * (the server does not know this browser any more).
 *
 * @typedef {import('./outbox.js').Outbox} Outbox
 * @typedef {'loading'|'ready'|'done'|'seen'|'unsent'|'error'} QueueState
 *     done, seen: the server's reason for an empty list; unsent: all it gave is answered and waits in the outbox
 */
import * as api from './api.js';
import { Item } from './item.js';

const AHEAD = 3;
/** Of what is open one person holds a tenth at most, beyond the first few. */
const HELD_SHARE = 0.1;
const MOST = 10;
const ASK_AGAIN_MS = 20_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MOST_MS = 30_000;
/** A server that says nothing for so long is as good as none. */
const SLOW_MS = 2_500;

export class Queue extends EventTarget {
	/** @type {Item[]} */
	items = [];
	/** @type {Item[]} whose lease has ended, while the server is asked about them */
	#aside = [];
	/** @type {QueueState} */
	state = 'loading';
	/** @type {Error|null} why the last asking failed */
	error = null;
	#slug;
	#expert;
	#outbox;
	#n_open;
	/** @type {Set<number>} */
	#answered = new Set();
	#asking = false;
	/** Asked to ask while asking: the reply under way may be out of date. */
	#askedAgain = false;
	#stopped = false;
	#retry_ms = RETRY_FIRST_MS;
	/** @type {ReturnType<typeof setTimeout>|undefined} */
	#timer;
	#listening = new AbortController();

	/** @param {string} slug @param {boolean} expert the expert queue @param {Outbox} outbox @param {number} n_open subjects, about */
	constructor(slug, expert, outbox, n_open) {
		super();
		this.#slug = slug;
		this.#expert = expert;
		this.#outbox = outbox;
		this.#n_open = n_open;
		const { signal } = this.#listening;
		const on = (/** @type {string} */ type, /** @type {(entry: import('./store.js').Entry) => void} */ then) =>
			outbox.addEventListener(type, (event) => {
				const { entry } = /** @type {CustomEvent} */ (event).detail;
				if (entry.project === slug)
					then(entry);
			}, { signal });
		on('elsewhere', (entry) => this.#onElsewhere(entry));
		on('sent', () => this.fill());
		on('refused', (entry) => {
			if (entry.kind === 'answer' && entry.status === 400)
				this.#answered.delete(entry.subject); // not an answer at all: the subject may come again
		});
		addEventListener('online', () => this.fill(), { signal });
	}

	/** The subject on screen. */
	get current() {
		return this.items[0];
	}

	/**
	 * How many are wanted behind the one on screen: few for somebody who only looks, and where little is open, since others
	 * wait for what is held here.
	 */
	get #n_ahead() {
		return this.#answered.size > 0 ? Math.max(AHEAD, Math.min(MOST - 1, Math.floor(this.#n_open * HELD_SHARE))) : AHEAD;
	}

	get isStopped() {
		return this.#stopped;
	}

	/** Ends the queue; leases run out by themselves. */
	stop() {
		this.#stopped = true;
		this.#listening.abort();
		clearTimeout(this.#timer);
		for (const item of this.items)
			item.stop();
	}

	/** The subject on screen has been answered. */
	advance() {
		const item = this.items.shift();
		if (item) {
			item.stop();
			this.#answered.add(item.task.subject);
		}
		this.#refresh();
	}

	/** Leaves the subject on screen unanswered; it does not come back in this visit. */
	skip() {
		this.advance();
	}

	/** Puts a subject whose answer was taken back on screen. @param {api.Task} task */
	giveBack(task) {
		this.#answered.delete(task.subject);
		this.items = this.items.filter((item) => item.task.subject !== task.subject);
		this.items.unshift(new Item(task));
		this.#refresh();
	}

	/** Asks the server for more where fewer are ahead than wanted. */
	async fill() {
		clearTimeout(this.#timer);
		this.#askedAgain = this.#asking;
		if (this.#asking || this.#stopped || (this.items.length > this.#n_ahead && this.#aside.length === 0))
			return;
		this.#asking = true;
		const slow = setTimeout(() => this.#bringBack(), SLOW_MS);
		try {
			const unsent = await this.#outbox.unsentSubjects(this.#slug);
			const n_wanted = Math.min(MOST, 1 + this.#n_ahead + unsent.size);
			const reply = await api.nextTasks(this.#slug, n_wanted, this.#expert);
			if (this.#stopped)
				return;
			this.#take(reply.tasks.filter((task) => !unsent.has(task.subject)));
			this.error = null;
			this.#retry_ms = RETRY_FIRST_MS;
			if (this.items.length === 0)
				this.state = reply.reason ?? 'unsent';
			if (this.items.length <= AHEAD)
				this.#askLater(this.state === 'unsent' && unsent.size === 0 ? RETRY_FIRST_MS : ASK_AGAIN_MS);
		} catch (cause) {
			if (!(cause instanceof api.ApiError))
				throw cause;
			this.error = cause;
			this.#bringBack();
			if (this.items.length === 0)
				this.state = 'error';
			if (cause.status === 401)
				this.dispatchEvent(new Event('stranger'));
			if (!cause.isFinal)
				this.#askLater(this.#retry_ms);
			this.#retry_ms = Math.min(2 * this.#retry_ms, RETRY_MOST_MS);
		} finally {
			this.#asking = false;
			clearTimeout(slow);
		}
		this.#settle();
		if (this.#askedAgain)
			this.fill();
	}

	/** @param {number} ms */
	#askLater(ms) {
		this.#timer = setTimeout(() => this.fill(), ms);
	}

	/** What the server leases now: new subjects, and those here whose lease goes on. Others whose lease has ended go. @param {api.Task[]} tasks */
	#take(tasks) {
		const aside = this.#aside;
		this.#aside = [];
		for (const task of tasks) {
			const known = [...this.items, ...aside].find((item) => item.task.subject === task.subject);
			if (known)
				known.task.expires = task.expires;
			if (this.#answered.has(task.subject) || (known && this.items.includes(known)))
				continue;
			this.items.push(known ?? new Item(task));
		}
		this.items = this.items.filter((item, i) => i === 0 || !item.isExpired);
	}

	/** The server does not say who has the subjects whose lease has ended: they are shown. */
	#bringBack() {
		const aside = this.#aside.filter((item) => !this.#isKnown(item.task.subject));
		this.#aside = [];
		if (aside.length === 0 || this.#stopped)
			return;
		this.items.push(...aside);
		this.#settle();
	}

	/** After the list changed: show what is there, ask for more and about what has expired unseen. */
	#refresh() {
		if (this.error === null && navigator.onLine) {
			this.#aside.push(...this.items.filter((item) => item.isExpired));
			this.items = this.items.filter((item) => !item.isExpired);
		}
		if (this.items.length === 0 && this.state === 'ready')
			this.state = this.error === null || this.#asking ? 'loading' : 'error';
		this.#settle();
		if (this.items.length <= AHEAD || this.#aside.length > 0)
			this.fill(); // else once the answer is sent: before, the server still counts its subject among the leased
	}

	#settle() {
		if (this.items.length > 0)
			this.state = 'ready';
		this.#decodeAhead();
		this.dispatchEvent(new Event('change'));
	}

	/**
	 * First pictures first, in order; then the whole bursts of the subject on screen and of the next one, decoded; then
	 * those of the others, fetched, for a line that breaks.
	 */
	async #decodeAhead() {
		const items = this.items.slice(0, 1 + MOST);
		for (const item of items)
			await item.picture(0).catch(() => null);
		for (const item of items.slice(0, 2))
			await item.preload();
		for (const item of items.slice(2))
			await item.fetch();
	}

	/** @param {number} subject */
	#isKnown(subject) {
		return this.#answered.has(subject) || this.items.some((item) => item.task.subject === subject);
	}

	/** @param {import('./store.js').Entry} entry */
	#onElsewhere(entry) {
		if (entry.kind === 'undo') {
			this.#answered.delete(entry.subject);
			return;
		}
		const wasOnScreen = this.current?.task.subject === entry.subject;
		this.#answered.add(entry.subject);
		this.items = this.items.filter((item) => item.task.subject !== entry.subject);
		if (wasOnScreen)
			this.dispatchEvent(new Event('stolen'));
		this.#refresh();
	}
}
