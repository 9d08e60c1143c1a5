/**
 * A subject in the browser: its task and the pictures of its frames, decoded ahead of time, so that showing one costs
 * nothing and nobody answers before the picture is there.
 *
 * @typedef {import('./api.js').Task} Task
 */
import { serverNow } from './api.js';
import { sleep } from './dom.js';
import { t } from './lang.js';

const TRIES = 3;
const TRY_AGAIN_MS = 700;
const THUMBS_LATER_MS = 150;

export class Item {
	/** @type {Map<number, HTMLImageElement>} */
	#decoded = new Map();
	/** @type {Map<number, Promise<HTMLImageElement>>} */
	#loading = new Map();
	#stopped = false;
	#isFetched = false;

	/** @type {HTMLImageElement[]|null} */
	#thumbs = null;

	/** @param {Task} task */
	constructor(task) {
		this.task = task;
	}

	/** Small pictures of the frames; one that cannot be had stays hidden. */
	get thumbs() {
		this.#thumbs ??= this.task.frames.map((frame) => {
			const thumb = new Image(frame.width, frame.height);
			thumb.alt = '';
			thumb.draggable = false;
			thumb.fetchPriority = 'low';
			thumb.addEventListener('error', () => {
				thumb.hidden = true;
			});
			this.picture(0).catch(() => null).then(() => sleep(THUMBS_LATER_MS)).then(() => {
				thumb.src = frame.thumb; // after the picture that is waited for is on screen
			});
			return thumb;
		});
		return this.#thumbs;
	}

	/** Its lease has ended. An answer is kept all the same, so where the server's clock is not known nothing expires. */
	get isExpired() {
		const now_ms = serverNow();
		return now_ms !== null && Date.parse(this.task.expires) <= now_ms;
	}

	/** The picture of frame i if it is decoded. @param {number} i */
	peek(i) {
		return this.#decoded.get(i);
	}

	/**
	 * The decoded picture of frame i. A failure is tried again twice, then thrown; asking later starts afresh.
	 * @param {number} i
	 * @returns {Promise<HTMLImageElement>}
	 */
	picture(i) {
		let loading = this.#loading.get(i);
		if (!loading) {
			loading = this.#load(i);
			this.#loading.set(i, loading);
			loading.catch(() => this.#loading.delete(i));
		}
		return loading;
	}

	/** Decodes every frame, one after the other; failures wait for whoever looks at that frame. */
	async preload() {
		if (this.task.frames.length > 1)
			void this.thumbs;
		for (let i = 0; i < this.task.frames.length && !this.#stopped; i++)
			await this.picture(i).catch(() => null);
	}

	/** Has the browser keep the files of every frame, one after the other, without the memory that decoded ones take. */
	async fetch() {
		if (this.#isFetched)
			return;
		this.#isFetched = true;
		for (const { url, thumb } of this.task.frames.slice(1))
			for (const file of [url, thumb])
				if (!this.#stopped)
					await fetch(file, { priority: 'low' }).then((response) => response.blob()).catch(() => {
						this.#isFetched = false;
					});
	}

	/** Stops loading ahead: the subject has been answered. */
	stop() {
		this.#stopped = true;
	}

	/** @param {number} i */
	async #load(i) {
		const frame = this.task.frames[i];
		for (let n_tries = 1; ; n_tries++) {
			const image = new Image(frame.width, frame.height);
			image.alt = t('item.picture', { i: i + 1, n: this.task.frames.length });
			image.draggable = false;
			image.fetchPriority = i === 0 ? 'auto' : 'low';
			image.src = frame.url;
			try {
				await image.decode();
				this.#decoded.set(i, image);
				return image;
			} catch (cause) {
				if (n_tries === TRIES)
					throw cause;
				await sleep(n_tries * TRY_AGAIN_MS);
			}
		}
	}
}
