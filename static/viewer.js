/**
 * The pictures of one subject: flipped, played, side by side, seen closer, in another light, or as what differs in one from
 * the rest of its burst. A new subject is shown as it came, in the light that was chosen.
 *
 * @typedef {import('./item.js').Item} Item
 */
import { Adjust } from './adjust.js';
import { Difference } from './difference.js';
import { el } from './dom.js';
import { isFull, setFull, watchFull } from './full.js';
import { icon } from './icon.js';
import { number, t } from './lang.js';
import { Sheet } from './sheet.js';
import { Zoom } from './zoom.js';

const PLAY_MS = 450;
const SPEEDS = [0.25, 0.5, 1, 2, 4];
const KEPT = 'topi.speed';

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
		type: 'button', class: 'control play', 'aria-pressed': 'false', 'aria-keyshortcuts': '.',
		on: { click: () => this.togglePlay() },
	}, t('viewer.play'));
	#speed = recallSpeed();
	#faster = el('button', {
		type: 'button', class: 'control speed', 'aria-keyshortcuts': '< >',
		on: { click: () => this.#setSpeed(SPEEDS[(SPEEDS.indexOf(this.#speed) + 1) % SPEEDS.length]) },
	});
	#burst = el('div', { class: 'controls' },
		el('button', {
			type: 'button', class: 'control step', 'aria-label': t('viewer.previous'), 'aria-keyshortcuts': 'ArrowLeft',
			on: { click: () => this.flip(-1) },
		}, '‹'),
		this.#counter,
		el('button', {
			type: 'button', class: 'control step', 'aria-label': t('viewer.next'), 'aria-keyshortcuts': 'ArrowRight',
			on: { click: () => this.flip(1) },
		}, '›'),
		this.#play, this.#faster);
	#stage = el('div', { class: 'stage', tabIndex: -1, role: 'group', 'aria-label': t('viewer.picture') },
		this.#picture, this.#wait, this.#failed);
	#difference = new Difference();
	#sheet = new Sheet((i) => {
		this.#sheet.close();
		this.#turnTo(i);
		this.focus();
		this.#drawTools();
	});
	#zoom = new Zoom(this.#stage, this.#picture, (step) => this.flip(step));
	#adjust = new Adjust([this.#picture, this.#sheet.element], () => this.#drawTools(), () => this.focus());
	/** @type {Record<'sheet'|'light'|'difference'|'full'|'reset'|'out'|'in', HTMLButtonElement>} */
	#tools = {
		sheet: tool('sheet', ',', () => this.#toggleSheet()),
		difference: tool('difference', ';', () => this.#toggleDifference()),
		light: tool('light', ':', () => this.#adjust.toggle(this.#adjust.element.hidden)),
		out: tool('out', 'PageDown', () => this.#zoom.step(-1)),
		in: tool('in', 'PageUp', () => this.#zoom.step(1)),
		full: tool('full', '%', () => setFull(!isFull())),
		reset: tool('reset', '*', () => this.reset()),
	};
	#more = el('button', {
		type: 'button', class: 'control more-tools', 'aria-label': t('viewer.more'), 'aria-expanded': 'false',
		on: {
			click: () => {
				const isOpen = this.element.classList.toggle('with-tools');
				this.#more.setAttribute('aria-expanded', String(isOpen));
			},
		},
	}, icon('more'));
	#listening = new AbortController();

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
		this.#stage.append(this.#sheet.element, this.#more);
		this.element = el('figure', { class: 'viewer', 'aria-label': t('viewer.pictures') }, this.#stage, this.#adjust.element,
			el('div', { class: 'bar' }, this.#burst, el('div', { class: 'tools' }, ...Object.values(this.#tools))), this.#strip);
		const { signal } = this.#listening;
		addEventListener('online', () => {
			if (!this.#failed.hidden)
				this.#load();
		}, { signal });
		watchFull(() => this.#drawTools(), signal);
		this.#setSpeed(this.#speed);
		this.#drawTools();
	}

	/** The screen is left. */
	close() {
		this.#listening.abort();
		this.show(null);
		if (isFull())
			setFull(false);
	}

	/** Shows an item from its first picture on, at once where that is decoded. @param {Item|null} item */
	show(item) {
		this.#stop();
		this.#item = item;
		this.#index = 0;
		this.#failed.hidden = true;
		this.#wait.hidden = true;
		const frames = item?.task.frames ?? [];
		this.#zoom.reset();
		this.#sheet.close();
		this.#difference.clear();
		this.#burst.hidden = frames.length < 2;
		this.#tools.sheet.hidden = this.#tools.difference.hidden = frames.length < 2;
		this.#drawTools();
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
		}, PLAY_MS / this.#speed);
	}

	/** As it came: no zoom, the camera's own light, no difference. */
	reset() {
		this.#zoom.reset();
		this.#adjust.reset();
		this.#difference.element.hidden = true;
		this.#drawTools();
	}

	/** Takes the focus, so that a key that follows a click is a command and not the clicked button again. */
	focus() {
		this.#stage.focus({ preventScroll: true });
	}

	/** @param {KeyboardEvent} event @returns {boolean} whether the key was ours; no taxon has one of these (docs/api.md) */
	onKey(event) {
		if (this.#zoom.onKey(event))
			return true;
		const n = this.#item?.task.frames.length ?? 0;
		const speed = SPEEDS.indexOf(this.#speed);
		const actions = {
			'ArrowLeft': () => this.flip(-1),
			'ArrowRight': () => this.flip(1),
			'Home': () => this.flip(-this.#index),
			'End': () => this.flip(n - 1 - this.#index),
			'.': () => this.togglePlay(),
			'<': () => this.#setSpeed(SPEEDS[Math.max(0, speed - 1)]),
			'>': () => this.#setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, speed + 1)]),
			',': () => this.#toggleSheet(),
			';': () => this.#toggleDifference(),
			':': () => this.#adjust.toggle(this.#adjust.element.hidden, () => this.focus()),
			'%': () => setFull(!isFull()),
			'*': () => this.reset(),
		};
		const action = actions[/** @type {keyof actions} */ (event.key)];
		if (action)
			action();
		return action !== undefined;
	}

	/** Leaves what lies over the picture or the page. @returns {boolean} whether there was such a thing */
	leave() {
		if (this.#sheet.isOpen)
			this.#toggleSheet();
		else if (isFull())
			setFull(false).then(() => this.#drawTools());
		else
			return false;
		return true;
	}

	/** @returns {import('./help.js').Shortcut[]} */
	shortcuts() {
		return [
			['← →', t('label.keys_flip')],
			['.', t('label.keys_play')],
			['< >', t('viewer.keys_speed')],
			[',', t('sheet.title')],
			[`${t('viewer.key_in')} ${t('viewer.key_out')}`, t('viewer.keys_zoom')],
			[`${t('recent.shift')} ←↑↓→`, t('viewer.keys_pan')],
			[':', t('adjust.title')],
			[';', t('viewer.difference')],
			['%', t('viewer.full')],
			['*', t('viewer.reset')],
		];
	}

	#toggleSheet() {
		if (this.#sheet.isOpen || !this.#item || this.#item.task.frames.length < 2)
			this.#sheet.close();
		else {
			this.#stop();
			this.#sheet.open(this.#item, this.#index);
		}
		this.#drawTools();
	}

	#toggleDifference() {
		const { element } = this.#difference;
		element.hidden = !element.hidden || (this.#item?.task.frames.length ?? 0) < 2;
		this.#drawTools();
		this.#drawDifference();
	}

	async #drawDifference() {
		const item = this.#item;
		const i = this.#index;
		const { element } = this.#difference;
		if (element.hidden || !item)
			return;
		const isDrawn = await this.#difference.draw(item, i).catch(() => false);
		this.#drawTools();
		if (isDrawn && this.#index !== i)
			this.#drawDifference();
		else if (isDrawn)
			this.#picture.append(element);
	}

	/** @param {number} speed */
	#setSpeed(speed) {
		this.#speed = speed;
		this.#faster.textContent = `${number(speed)}×`;
		this.#faster.setAttribute('aria-label', t('viewer.speed', { speed: number(speed) }));
		try {
			sessionStorage.setItem(KEPT, String(speed));
		} catch {
			// For this visit then.
		}
		if (this.#playing) {
			this.#stop();
			this.togglePlay();
		}
	}

	#drawTools() {
		const is = { sheet: this.#sheet.isOpen, light: !this.#adjust.element.hidden, difference: !this.#difference.element.hidden, full: isFull() };
		for (const [name, isOn] of Object.entries(is))
			this.#tools[/** @type {keyof typeof is} */ (name)].setAttribute('aria-pressed', String(isOn));
		this.#tools.light.classList.toggle('changed', this.#adjust.isChanged);
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
		this.#picture.replaceChildren(image, ...this.#difference.element.hidden ? [] : [this.#difference.element]);
		this.#drawDifference();
		if (isFirst)
			this.#onReady(item);
	}

	#mark() {
		const n = this.#item?.task.frames.length ?? 0;
		this.#sheet.mark(this.#index);
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

/** @param {'sheet'|'light'|'difference'|'full'|'reset'|'out'|'in'} name @param {string} key @param {() => void} act */
function tool(name, key, act) {
	const words = t(/** @type {import('./lang.js').Key} */ (`viewer.${name}`));
	return el('button', {
		type: 'button', class: 'tool', 'data-tool': name, 'aria-label': words, 'title': `${words} (${key})`, 'aria-keyshortcuts': key, 'on': { click: act },
	}, icon(name));
}

function recallSpeed() {
	try {
		const kept = Number(sessionStorage.getItem(KEPT));
		return SPEEDS.includes(kept) ? kept : 1;
	} catch {
		return 1;
	}
}
