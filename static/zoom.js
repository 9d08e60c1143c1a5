/**
 * A closer look at what lies in a stage: by wheel, by two fingers, by a double tap or click, by keys. The point under the
 * cursor or between the fingers stays where it is. One finger flips what is not zoomed and moves what is.
 *
 * Units: px of the stage; a point (x, y) of the unzoomed stage is shown at (dx_px + scale * x, dy_px + scale * y).
 */

const MOST = 8;
const STEP = 1.5;
const DOUBLE = 2.5;
const PAN_SHARE = 0.15;
const SWIPE_PX = 40;
const TAP_PX = 25;
const TAP_MS = 350;

/** @typedef {{x: number, y: number}} Point */

export class Zoom {
	#stage;
	#content;
	#onSwipe;
	#scale = 1;
	#dx_px = 0;
	#dy_px = 0;
	/** @type {Point|null} where one finger went down that may be a swipe or a tap */
	#start = null;
	/** @type {{at: Point, gap_px: number}|null} where the fingers were last, and how far apart; gap 0: one finger */
	#fingers = null;
	/** @type {{at: Point, ms: number}|null} */
	#tap = null;
	/** When a double tap was last taken; browsers send a double click after some. */
	#tapped_ms = -Infinity;

	/**
	 * @param {HTMLElement} stage @param {HTMLElement} content fills the stage
	 * @param {(step: number) => void} onSwipe 1: on, -1: back
	 */
	constructor(stage, content, onSwipe) {
		this.#stage = stage;
		this.#content = content;
		this.#onSwipe = onSwipe;
		stage.addEventListener('wheel', (event) => this.#onWheel(event), { passive: false });
		stage.addEventListener('touchstart', (event) => this.#onTouchStart(event), { passive: false });
		stage.addEventListener('touchmove', (event) => this.#onTouchMove(event), { passive: false });
		stage.addEventListener('touchend', (event) => this.#onTouchEnd(event), { passive: false });
		stage.addEventListener('touchcancel', () => this.#letGo());
		stage.addEventListener('dblclick', (event) => {
			if (this.#isOn(event.target) && event.timeStamp - this.#tapped_ms > 2 * TAP_MS)
				this.#toggle(this.#at(event));
		});
		stage.addEventListener('pointerdown', (event) => {
			if (event.pointerType === 'mouse' && event.button === 0 && this.isZoomed && this.#isOn(event.target))
				stage.setPointerCapture(event.pointerId);
		});
		stage.addEventListener('pointermove', (event) => {
			if (event.pointerType === 'mouse' && stage.hasPointerCapture(event.pointerId))
				this.pan(event.movementX, event.movementY);
		});
		new ResizeObserver(() => this.#set(this.#scale, this.#dx_px, this.#dy_px)).observe(stage);
	}

	get isZoomed() {
		return this.#scale > 1;
	}

	reset() {
		this.#set(1, 0, 0);
	}

	/** One step nearer (1) or away (-1), about a point or the middle. @param {1|-1} step */
	step(step) {
		this.#about({ x: this.#stage.clientWidth / 2, y: this.#stage.clientHeight / 2 }, this.#scale * (step > 0 ? STEP : 1 / STEP));
	}

	/** @param {number} x_px @param {number} y_px */
	pan(x_px, y_px) {
		this.#set(this.#scale, this.#dx_px + x_px, this.#dy_px + y_px);
	}

	/** @param {KeyboardEvent} event @returns {boolean} whether the key was ours */
	onKey(event) {
		const x = this.#stage.clientWidth * PAN_SHARE, y = this.#stage.clientHeight * PAN_SHARE;
		const pans = /** @type {Record<string, [number, number]>} */ (
			{ ArrowLeft: [x, 0], ArrowRight: [-x, 0], ArrowUp: [0, y], ArrowDown: [0, -y] });
		const isScrolled = !this.isZoomed && scrollY > 0; // in a small window these keys scroll the page
		if (event.key === 'PageUp' && !isScrolled)
			this.step(1);
		else if (event.key === 'PageDown' && this.isZoomed)
			this.step(-1);
		else if (event.shiftKey && pans[event.key])
			this.pan(...pans[event.key]);
		else
			return false;
		return true;
	}

	/** @param {number} scale @param {number} dx_px @param {number} dy_px */
	#set(scale, dx_px, dy_px) {
		const within = (/** @type {number} */ px, /** @type {number} */ size_px) => Math.min(0, Math.max(size_px * (1 - scale), px));
		this.#scale = scale;
		this.#dx_px = within(dx_px, this.#stage.clientWidth);
		this.#dy_px = within(dy_px, this.#stage.clientHeight);
		this.#stage.classList.toggle('zoomed', scale > 1);
		this.#content.style.transform = scale > 1 ? `translate(${this.#dx_px}px, ${this.#dy_px}px) scale(${scale})` : '';
	}

	/** Keeps what is at a point there. @param {Point} at @param {number} wanted */
	#about(at, wanted) {
		const scale = Math.min(MOST, Math.max(1, wanted));
		const by = scale / this.#scale;
		this.#set(scale, at.x - (at.x - this.#dx_px) * by, at.y - (at.y - this.#dy_px) * by);
	}

	/** @param {Point} at */
	#toggle(at) {
		this.#about(at, this.isZoomed ? 1 : DOUBLE);
	}

	/** @param {{clientX: number, clientY: number}} event @returns {Point} */
	#at({ clientX, clientY }) {
		const { left, top } = this.#stage.getBoundingClientRect();
		return { x: clientX - left, y: clientY - top };
	}

	/** Not a button that lies over the picture. @param {EventTarget|null} target */
	#isOn(target) {
		return target === this.#stage || this.#content.contains(/** @type {Node} */ (target));
	}

	/** @param {WheelEvent} event Away from what is not zoomed: the page scrolls. */
	#onWheel(event) {
		if (!this.#isOn(event.target) || (event.deltaY >= 0 && !this.isZoomed))
			return;
		event.preventDefault();
		const lines = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : 16;
		this.#about(this.#at(event), this.#scale * Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002)));
	}

	/** @param {TouchEvent} event */
	#onTouchStart(event) {
		const { touches } = event;
		const isPageZoomed = (visualViewport?.scale ?? 1) > 1.01;
		this.#start = touches.length === 1 && !isPageZoomed && this.#isOn(event.target) ? this.#at(touches[0]) : null;
		this.#hold(touches);
		if (touches.length > 1 && event.cancelable)
			event.preventDefault();
	}

	/** @param {TouchEvent} event */
	#onTouchMove(event) {
		const before = this.#fingers;
		if (!before)
			return;
		if (event.touches.length === 1 && !this.isZoomed) {
			const at = this.#at(event.touches[0]);
			if (this.#start && event.cancelable && Math.abs(at.x - this.#start.x) > Math.abs(at.y - this.#start.y))
				event.preventDefault(); // a swipe: the page need not think about scrolling
			return;
		}
		if (event.cancelable)
			event.preventDefault();
		this.#hold(event.touches);
		const now = this.#fingers;
		if (!now)
			return;
		this.pan(now.at.x - before.at.x, now.at.y - before.at.y);
		if (before.gap_px > 0 && now.gap_px > 0)
			this.#about(now.at, this.#scale * now.gap_px / before.gap_px);
	}

	/** @param {TouchEvent} event */
	#onTouchEnd(event) {
		const start = this.#start;
		this.#start = null;
		this.#hold(event.touches);
		if (!start || event.touches.length > 0)
			return;
		const end = this.#at(event.changedTouches[0]);
		const moved_px = end.x - start.x;
		if (Math.hypot(moved_px, end.y - start.y) < TAP_PX)
			this.#onTap(event, end);
		else if (!this.isZoomed && Math.abs(moved_px) > Math.max(SWIPE_PX, Math.abs(end.y - start.y)))
			this.#onSwipe(moved_px < 0 ? 1 : -1);
	}

	/** @param {TouchEvent} event @param {Point} at */
	#onTap(event, at) {
		const before = this.#tap;
		this.#tap = { at, ms: event.timeStamp };
		if (!before || event.timeStamp - before.ms > TAP_MS || Math.hypot(at.x - before.at.x, at.y - before.at.y) > 2 * TAP_PX)
			return;
		this.#tap = null;
		this.#tapped_ms = event.timeStamp;
		this.#toggle(at);
	}

	/** @param {TouchList} touches */
	#hold(touches) {
		const [a, b] = [...touches].map((touch) => this.#at(touch));
		if (!a)
			this.#letGo();
		else
			this.#fingers = b ? { at: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }, gap_px: Math.hypot(a.x - b.x, a.y - b.y) } : { at: a, gap_px: 0 };
	}

	#letGo() {
		this.#fingers = null;
		this.#start = null;
	}
}
