/** The pictures of one subject: flip with the arrow keys, by swipe, by thumbnail; play the burst. */
import { el } from './dom.js';
import { t } from './lang.js';

const PLAY_MS = 450;
const SWIPE_PX = 40;

/** @typedef {import('./item.js').Item} Item */

export class Viewer {
	/** @type {Item|null} */
	#item = null;
	#index = 0;
	#onReady;
	/** @type {ReturnType<typeof setInterval>|undefined} */
	#playing;
	#picture = el('div', { class: 'picture' });
	#wait = el('p', { class: 'wait', hidden: true }, t('viewer.loading'));
	#failed = el('div', { class: 'failed', hidden: true });
	#strip = el('div', { class: 'strip', role: 'group', 'aria-label': t('viewer.strip') });
	#counter = el('span', { class: 'counter' });
	#play = el('button', {
		type: 'button', class: 'control', 'aria-pressed': 'false', 'aria-keyshortcuts': '.',
		on: { click: () => this.togglePlay() },
	}, t('viewer.play'));
	#controls = el('div', { class: 'controls' },
		el('button', {
			type: 'button', class: 'control step', 'aria-label': t('viewer.previous'), 'aria-keyshortcuts': 'ArrowLeft',
			on: { click: () => this.flip(-1) },
		}, '‹'),
		this.#counter,
		el('button', {
			type: 'button', class: 'control step', 'aria-label': t('viewer.next'), 'aria-keyshortcuts': 'ArrowRight',
			on: { click: () => this.flip(1) },
		}, '›'),
		this.#play);
	#stage = el('div', { class: 'stage', tabIndex: -1, role: 'group', 'aria-label': t('viewer.picture') },
		this.#picture, this.#wait, this.#failed);

	/**
	 * @param {(item: Item) => void} onReady the first picture of the item is decoded and on screen
	 * @param {() => void} onSkip the person gives up on pictures that do not load
	 */
	constructor(onReady, onSkip) {
		this.#onReady = onReady;
		this.#failed.append(
			el('p', {}, t('viewer.failed')),
			el('div', { class: 'row' },
				el('button', { type: 'button', class: 'primary', on: { click: () => this.#load() } }, t('main.again')),
				el('button', { type: 'button', on: { click: onSkip } }, t('viewer.skip'))));
		this.element = el('figure', { class: 'viewer', 'aria-label': t('viewer.pictures') }, this.#stage, this.#controls, this.#strip);
		/** @type {number|null} null: no swipe, but two fingers that zoom or one that moves what is zoomed */
		let start_px = null;
		this.#stage.addEventListener('touchstart', (event) => {
			const isZoomed = (visualViewport?.scale ?? 1) > 1.01;
			start_px = event.touches.length === 1 && !isZoomed ? event.touches[0].clientX : null;
		}, { passive: true });
		this.#stage.addEventListener('touchend', (event) => {
			if (start_px === null)
				return;
			const moved_px = event.changedTouches[0].clientX - start_px;
			if (Math.abs(moved_px) > SWIPE_PX)
				this.flip(moved_px < 0 ? 1 : -1);
		}, { passive: true });
		addEventListener('online', () => {
			if (!this.#failed.hidden)
				this.#load();
		});
	}

	/** Shows an item from its first picture on, at once where that is decoded. @param {Item|null} item */
	show(item) {
		this.#stop();
		this.#item = item;
		this.#index = 0;
		this.#failed.hidden = true;
		this.#wait.hidden = true;
		const frames = item?.task.frames ?? [];
		this.#controls.hidden = frames.length < 2;
		this.#strip.hidden = frames.length < 2;
		const thumbs = item && frames.length > 1 ? item.thumbs : [];
		this.#strip.replaceChildren(...thumbs.map((thumb, i) => el('button', {
			type: 'button', class: 'thumb', 'aria-label': t('item.picture', { i: i + 1, n: frames.length }),
			on: {
				click: () => {
					this.#stop();
					this.#turnTo(i);
				},
			},
		}, thumb)));
		this.#picture.replaceChildren();
		if (item)
			this.#load();
	}

	/** Whether a decoded picture of this item is on screen. @param {Item} item */
	isShowing(item) {
		return this.#item === item && this.#picture.childElementCount > 0;
	}

	/** @param {number} step */
	flip(step) {
		this.#stop();
		const n = this.#item?.task.frames.length ?? 0;
		if (n > 1)
			this.#turnTo((this.#index + step + n) % n);
	}

	togglePlay() {
		const item = this.#item;
		const n = item?.task.frames.length ?? 0;
		if (this.#playing || !item || n < 2) {
			this.#stop();
			return;
		}
		this.#play.setAttribute('aria-pressed', 'true');
		this.#play.textContent = t('viewer.pause');
		this.#playing = setInterval(() => {
			const next = (this.#index + 1) % n;
			if (item.peek(next))
				this.#turnTo(next);
		}, PLAY_MS);
	}

	/** Takes the focus, so that a key that follows a click is a command and not the clicked button again. */
	focus() {
		this.#stage.focus({ preventScroll: true });
	}

	/** @param {KeyboardEvent} event @returns {boolean} whether the key was ours */
	onKey(event) {
		const n = this.#item?.task.frames.length ?? 0;
		const actions = {
			ArrowLeft: () => this.flip(-1),
			ArrowRight: () => this.flip(1),
			Home: () => this.flip(-this.#index),
			End: () => this.flip(n - 1 - this.#index),
			'.': () => this.togglePlay(),
		};
		const action = actions[/** @type {keyof actions} */ (event.key)];
		if (action)
			action();
		return action !== undefined;
	}

	#stop() {
		clearInterval(this.#playing);
		this.#playing = undefined;
		this.#play.setAttribute('aria-pressed', 'false');
		this.#play.textContent = t('viewer.play');
	}

	/** @param {number} i */
	#turnTo(i) {
		this.#index = i;
		this.#load();
	}

	/** Puts the picture of the current index on screen; until it is decoded, the one before stays. */
	async #load() {
		const item = this.#item;
		const i = this.#index;
		if (!item)
			return;
		this.#mark();
		this.#failed.hidden = true;
		let image = item.peek(i);
		if (!image) {
			this.#wait.hidden = false;
			try {
				image = await item.picture(i);
			} catch {
				image = undefined;
			}
			if (this.#item !== item || this.#index !== i)
				return;
			this.#wait.hidden = true;
		}
		if (!image) {
			this.#failed.hidden = false;
			return;
		}
		this.#wait.hidden = true;
		const isFirst = this.#picture.childElementCount === 0;
		this.#picture.replaceChildren(image);
		if (isFirst)
			this.#onReady(item);
	}

	#mark() {
		const n = this.#item?.task.frames.length ?? 0;
		this.#counter.textContent = `${this.#index + 1} / ${n}`;
		for (const [i, thumb] of [...this.#strip.children].entries()) {
			if (i === this.#index)
				thumb.setAttribute('aria-current', 'true');
			else
				thumb.removeAttribute('aria-current');
		}
		const thumb = /** @type {HTMLElement|undefined} */ (this.#strip.children[this.#index]);
		if (thumb)
			this.#strip.scrollLeft = thumb.offsetLeft - (this.#strip.clientWidth - thumb.clientWidth) / 2;
	}
}
