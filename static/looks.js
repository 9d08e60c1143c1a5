/**
 * Finding a taxon by what it looks like: one value of any characteristic, all of which must fit. Beside the picture it is a
 * panel over the names; on a phone a sheet from below.
 *
 * @typedef {import('./api.js').Taxon} Taxon
 * @typedef {{id: string, name: string, names?: Record<string, string>, picture?: string}} Value
 * @typedef {{id: string, name: string, names?: Record<string, string>, values: Value[]}} Characteristic
 */
import { el } from './dom.js';
import { inLanguage, t } from './lang.js';

export const LOOKS_KEY = '#';
const SHEET = '(max-width: 799px)';
/** So few are offered in the sheet itself. */
const OFFER_MOST = 4;

export class Looks {
	/** @type {Map<string, string>} characteristic -> value */
	#chosen = new Map();
	/** @type {{button: HTMLButtonElement, look: string, value: string}[]} */
	#options = [];
	#on;
	#taxa;
	#panel;
	#left = el('p', { class: 'left', role: 'status' });
	#offer = el('div', { class: 'offer' });
	/** @type {HTMLDialogElement|null} */
	#sheet = null;
	#clear = el('button', { type: 'button', class: 'clear', on: { click: () => this.clear() } }, t('looks.clear'));
	button = el('button', {
		type: 'button', class: 'by-look', 'aria-expanded': 'false', 'aria-keyshortcuts': LOOKS_KEY, on: { click: () => this.toggle() },
	}, t('looks.open'));

	/**
	 * @param {Characteristic[]} looks @param {Taxon[]} taxa
	 * @param {{change: () => void, offer: (taxon: Taxon) => HTMLElement}} on the choice changed; a button that answers with a taxon
	 */
	constructor(looks, taxa, on) {
		this.#taxa = taxa;
		this.#on = on;
		this.#panel = el('div', { class: 'looks', role: 'group', 'aria-label': t('looks.open') },
			...looks.map((look) => el('fieldset', { class: 'look' },
				el('legend', {}, inLanguage(look.name, look.names)),
				...look.values.map((value) => this.#option(look.id, value)))));
		this.element = el('div', { class: 'looks-place', hidden: true, on: { keydown: (event) => this.#onKey(event) } },
			this.#panel, el('div', { class: 'row' }, this.#left, this.#clear));
		this.#draw();
	}

	get isOn() {
		return this.#chosen.size > 0;
	}

	/** Whether a taxon has every chosen value. @param {Taxon} taxon */
	fits(taxon) {
		return [...this.#chosen].every(([look, value]) => taxon.looks?.[look]?.includes(value));
	}

	/** Nothing is chosen any more, and the panel is shut. */
	clear() {
		this.#chosen.clear();
		this.#changed();
	}

	close() {
		this.#sheet?.close();
		this.element.hidden = true;
		this.button.setAttribute('aria-expanded', 'false');
	}

	toggle() {
		if (!this.element.hidden) {
			this.close();
			return;
		}
		this.element.hidden = false;
		this.button.setAttribute('aria-expanded', 'true');
		if (matchMedia(SHEET).matches)
			this.#openSheet();
		this.#options[0]?.button.focus();
	}

	#openSheet() {
		const place = document.createComment('');
		this.element.before(place);
		const sheet = el('dialog', {
			class: 'sheet', 'aria-label': t('looks.open'), on: {
				close: () => {
					place.replaceWith(this.element);
					this.#sheet = null;
					sheet.remove();
					this.close();
				},
				click: (event) => event.target === sheet && sheet.close(),
			},
		}, this.element, this.#offer, el('form', { method: 'dialog' }, el('button', { class: 'primary' }, t('looks.show'))));
		document.body.append(sheet);
		this.#sheet = sheet;
		this.#draw();
		sheet.showModal();
	}

	/** @param {string} look @param {Value} value */
	#option(look, value) {
		const button = el('button', {
			type: 'button', class: 'value', 'aria-pressed': 'false', on: {
				click: () => {
					if (this.#chosen.get(look) === value.id)
						this.#chosen.delete(look);
					else
						this.#chosen.set(look, value.id);
					this.#changed();
				},
			},
		}, value.picture ? el('img', { src: value.picture, alt: '', width: 28, height: 28, loading: 'lazy' }) : null,
		el('span', {}, inLanguage(value.name, value.names)));
		this.#options.push({ button, look, value: value.id });
		return button;
	}

	#changed() {
		this.#draw();
		this.#on.change();
	}

	#draw() {
		const left = this.#taxa.filter((taxon) => this.fits(taxon));
		for (const { button, look, value } of this.#options) {
			const others = this.#taxa.filter((taxon) => taxon.looks?.[look]?.includes(value) &&
				[...this.#chosen].every(([other, wanted]) => other === look || taxon.looks?.[other]?.includes(wanted)));
			const isOn = this.#chosen.get(look) === value;
			button.setAttribute('aria-pressed', String(isOn));
			button.classList.toggle('none', others.length === 0);
		}
		this.#left.textContent = t('looks.left', { n: left.length });
		this.#clear.disabled = !this.isOn;
		this.button.classList.toggle('on', this.isOn);
		if (this.#sheet)
			this.#offer.replaceChildren(...this.isOn && left.length <= OFFER_MOST ? left.map((taxon) => this.#on.offer(taxon)) : []);
	}

	/** @param {KeyboardEvent} event Arrows go through the values, Escape leaves. */
	#onKey(event) {
		const at = this.#options.findIndex(({ button }) => button === document.activeElement);
		const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
		const step = steps[/** @type {keyof steps} */ (event.key)];
		if (event.key === 'Escape' && !this.#sheet) {
			this.close();
			this.button.focus();
		} else if (step && at >= 0)
			this.#options.at((at + step) % this.#options.length)?.button.focus();
		else
			return;
		event.preventDefault();
		event.stopPropagation();
	}
}
