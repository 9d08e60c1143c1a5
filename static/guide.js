/**
 * What the project has to read: the field guide, the tutorial, and for a taxon its page with its look-alikes. Written in
 * Markdown, fetched when it is opened.
 *
 * @typedef {import('./api.js').Taxon} Taxon
 */
import * as api from './api.js';
import { comparison, filesOf, hasPage, looksLike } from './compare.js';
import { nameOf } from './confirm.js';
import { el } from './dom.js';
import { current, t } from './lang.js';
import { render } from './markdown.js';

/** A page of the project in the person's language; what went wrong where it cannot be had. @param {import('./api.js').Project} project @param {string} name */
export async function page(project, name) {
	try {
		const { markdown, lang } = await api.getPage(project.slug, name, current());
		const node = el('div', { class: 'page', lang: lang || null });
		node.append(render(markdown, filesOf(project)));
		return node;
	} catch (cause) {
		return el('p', { class: 'refusal' }, t('guide.failed', { problem: /** @type {Error} */ (cause).message }));
	}
}

/** A page that begins with a heading of its own has that for its title. @param {string} title @param {(Node|null)[]} body @param {Node[]} [buttons] */
function show(title, body, buttons = []) {
	const own = body.map((node) => node instanceof HTMLElement && node.matches('.page') ? node.querySelector(':scope > h2:first-child') : null).find(Boolean);
	own?.remove();
	const dialog = el('dialog', { class: 'reading', 'aria-labelledby': 'guide-title', on: { close: () => dialog.remove() } },
		el('h2', { id: 'guide-title', tabIndex: -1 }, own?.textContent ?? title), ...body.filter((node) => node !== null),
		el('form', { method: 'dialog', class: 'row' }, ...buttons, el('button', {}, t('main.close'))));
	document.body.append(dialog);
	dialog.showModal();
	dialog.querySelector('h2')?.focus();
	return dialog;
}

/** The field guide, the tutorial. @param {import('./api.js').Project} project @param {'guide'|'tutorial'} name */
export async function openPage(project, name) {
	const kinds = name === 'guide' ? project.taxa.filter((taxon) => hasPage(project, `guide/${taxon.code}`)) : [];
	const dialog = show(t(name === 'guide' ? 'guide.guide' : 'guide.tutorial'), [await page(project, name),
		kinds.length > 0 ? el('ul', { class: 'kinds' }, ...kinds.map((taxon) => el('li', {}, el('button', {
			type: 'button', on: {
				click: () => {
					dialog.close();
					openTaxon(project, taxon);
				},
			},
		}, nameOf(taxon))))) : null]);
}

/**
 * A taxon: its picture, its page, what its practice says, its look-alikes, and a button that answers with it.
 * @param {import('./api.js').Project} project @param {Taxon} taxon @param {(taxon: Taxon) => void} [choose]
 */
export async function openTaxon(project, taxon, choose) {
	const alike = looksLike(project, taxon.id);
	const part = async (/** @type {string} */ name) => hasPage(project, name) ? page(project, name) : null;
	const [text, why] = await Promise.all([part(`guide/${taxon.code}`), part(`practice/${taxon.code}`)]);
	const pairs = await Promise.all(alike.map((confusion) => comparison(project, confusion)));
	const dialog = show(nameOf(taxon), [
		taxon.scientific_name ? el('p', { class: 'scientific' }, el('i', { lang: 'la' }, taxon.scientific_name)) : null,
		taxon.picture && !text?.querySelector('img') ? el('img', { class: 'portrait', src: taxon.picture, alt: '' }) : null,
		text, why, pairs.length > 0 ? el('h3', {}, t('compare.title')) : null, ...pairs,
		text || why || pairs.length > 0 ? null : el('p', { class: 'hint' }, t('guide.nothing')),
	], choose ? [el('button', {
		class: 'primary', type: 'button', on: {
			click: () => {
				dialog.close();
				choose(taxon);
			},
		},
	}, t('guide.choose'))] : []);
}
