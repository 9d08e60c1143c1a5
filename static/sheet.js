/** All pictures of a burst side by side; the one that is chosen is looked at again. */
import { el } from './dom.js';
import { t } from './lang.js';

export class Sheet {
	#onChoose;
	element = el('div', { class: 'sheet', hidden: true, role: 'group', 'aria-label': t('sheet.title') });

	/** @param {(i: number) => void} onChoose */
	constructor(onChoose) {
		this.#onChoose = onChoose;
	}

	get isOpen() {
		return !this.element.hidden;
	}

	/** @param {import('./item.js').Item} item @param {number} current */
	open(item, current) {
		const { frames } = item.task;
		const n_columns = Math.ceil(Math.sqrt(frames.length));
		this.element.style.gridTemplateColumns = `repeat(${n_columns}, 1fr)`;
		this.element.style.gridTemplateRows = `repeat(${Math.ceil(frames.length / n_columns)}, 1fr)`;
		this.element.replaceChildren(...frames.map((frame, i) => el('button', {
			type: 'button', class: 'cell', 'aria-label': t('item.picture', { i: i + 1, n: frames.length }), on: { click: () => this.#onChoose(i) },
		}, el('img', { src: frame.url, alt: '', draggable: false }))));
		this.element.hidden = false;
		this.mark(current);
	}

	/** @param {number} current */
	mark(current) {
		for (const [i, cell] of [...this.element.children].entries())
			if (i === current)
				cell.setAttribute('aria-current', 'true');
			else
				cell.removeAttribute('aria-current');
	}

	close() {
		this.element.hidden = true;
		this.element.replaceChildren();
	}
}
