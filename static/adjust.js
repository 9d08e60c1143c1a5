/**
 * Light: brightness, contrast, gamma and invert of the picture on screen, for as long as the browser's tab is open. Nothing
 * of it reaches the file: it is a filter of the page, gamma a small SVG of one component transfer.
 */
import { el } from './dom.js';
import { number, t } from './lang.js';

const KEPT = 'topi.light';
const SVG = 'http://www.w3.org/2000/svg';
/** @type {Values} */
const PLAIN = { brightness: 1, contrast: 1, gamma: 1, invert: false };
/** Gamma above 1 shows more in the dark. */
const RANGES = /** @type {const} */ ({ brightness: [0.4, 3], contrast: [0.4, 3], gamma: [0.4, 3] });

let n_filters = 0;

/** @typedef {{brightness: number, contrast: number, gamma: number, invert: boolean}} Values */

export class Adjust {
	#targets;
	#onChange;
	#values = recall();
	#id = `gamma-${++n_filters}`;
	#gamma = svg('filter', { 'id': this.#id, 'color-interpolation-filters': 'sRGB' });
	/** @type {Record<'brightness'|'contrast'|'gamma', HTMLInputElement>} */
	#sliders;
	#invert = el('input', { type: 'checkbox', on: { change: () => this.#set({ invert: this.#invert.checked }) } });

	/** @param {HTMLElement[]} targets what is filtered @param {() => void} onChange @param {() => void} onClose */
	constructor(targets, onChange, onClose) {
		this.#targets = targets;
		this.#onChange = onChange;
		const slider = (/** @type {'brightness'|'contrast'|'gamma'} */ name) => el('input', {
			type: 'range', min: RANGES[name][0], max: RANGES[name][1], step: 0.05,
			on: {
				input: () => this.#set({ [name]: Number(this.#sliders[name].value) }),
				dblclick: () => this.#set({ [name]: PLAIN[name] }),
				pointerup: onClose, // the keys are the answers' again
			},
		});
		this.#sliders = { brightness: slider('brightness'), contrast: slider('contrast'), gamma: slider('gamma') };
		const holder = svg('svg', { 'class': 'sr', 'aria-hidden': 'true', 'width': '0', 'height': '0' });
		holder.append(this.#gamma);
		this.element = el('div', { class: 'adjust', role: 'group', 'aria-label': t('adjust.title'), hidden: true },
			el('label', {}, t('adjust.brightness'), this.#sliders.brightness),
			el('label', {}, t('adjust.contrast'), this.#sliders.contrast),
			el('label', {}, t('adjust.gamma'), this.#sliders.gamma),
			el('label', { class: 'switch' }, this.#invert, t('adjust.invert')));
		this.element.append(holder);
		this.element.addEventListener('keydown', (event) => {
			if (event.key === 'Escape')
				this.toggle(false, onClose);
			else if (!/^(Arrow|Page|Home|End)/.test(event.key) || event.target === this.#invert)
				return; // a slider's own keys move the slider alone
			event.stopPropagation();
		});
		this.#apply();
	}

	get isChanged() {
		return Object.entries(PLAIN).some(([name, value]) => this.#values[/** @type {keyof Values} */ (name)] !== value);
	}

	/** Opens the sliders or closes them. @param {boolean} isOpen @param {() => void} [onClose] */
	toggle(isOpen, onClose) {
		this.element.hidden = !isOpen;
		if (isOpen)
			this.#sliders.brightness.focus();
		else
			onClose?.();
		this.#onChange();
	}

	reset() {
		this.#set(PLAIN);
	}

	/** @param {Partial<Values>} values */
	#set(values) {
		Object.assign(this.#values, values);
		try {
			sessionStorage.setItem(KEPT, JSON.stringify(this.#values));
		} catch {
			// For this visit then.
		}
		this.#apply();
		this.#onChange();
	}

	#apply() {
		const { brightness, contrast, gamma, invert } = this.#values;
		const parts = [
			gamma === 1 ? '' : `url(#${this.#id})`, brightness === 1 ? '' : `brightness(${brightness})`,
			contrast === 1 ? '' : `contrast(${contrast})`, invert ? 'invert(1)' : '',
		];
		const transfer = svg('feComponentTransfer', {});
		for (const channel of ['R', 'G', 'B'])
			transfer.append(svg(`feFunc${channel}`, { type: 'gamma', exponent: String(1 / gamma) }));
		this.#gamma.replaceChildren(transfer);
		for (const target of this.#targets)
			target.style.filter = parts.filter((part) => part).join(' ');
		for (const [name, slider] of Object.entries(this.#sliders)) {
			const value = this.#values[/** @type {keyof typeof RANGES} */ (name)];
			slider.value = String(value);
			slider.setAttribute('aria-valuetext', number(value, { style: 'percent' }));
		}
		this.#invert.checked = invert;
	}
}

/** @param {string} tag @param {Record<string, string>} attributes */
function svg(tag, attributes) {
	const node = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(attributes))
		node.setAttribute(name, value);
	return node;
}

/** @returns {Values} */
function recall() {
	try {
		return { ...PLAIN, ...JSON.parse(sessionStorage.getItem(KEPT) ?? '{}') };
	} catch {
		return { ...PLAIN };
	}
}
