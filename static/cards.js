/**
 * Cards that come while somebody works: they lie over the page's head, so that nothing moves and neither the picture nor an
 * answer is covered. They take no focus and no key but Escape; whoever shows one also says it to screen readers.
 */
import { el } from './dom.js';
import { t } from './lang.js';

export class Cards {
	element = el('div', { class: 'cards' });

	/**
	 * Shows a card in the place of the last of its kind.
	 * @param {string} kind @param {...(Node|string|null)} content @returns {HTMLElement}
	 */
	show(kind, ...content) {
		this.close(kind);
		const card = el('section', { class: `news-card ${kind}`, 'aria-label': t(/** @type {any} */ (`cards.${kind}`)) }, ...content,
			el('button', { type: 'button', class: 'quiet close', 'aria-label': t('cards.close'), on: { click: () => card.remove() } }, '✕'));
		this.element.append(card);
		return card;
	}

	/** Takes the cards of a kind away, or all of them. @param {string} [kind] @returns {boolean} whether there was one */
	close(kind) {
		const there = [...this.element.children].filter((card) => !kind || card.classList.contains(kind));
		for (const card of there)
			card.remove();
		return there.length > 0;
	}
}
