/**
 * Look-alikes: two taxa side by side, and what tells them apart. It is opened by the person, or offered after an answer that
 * an expert corrects; never because of what the model thinks.
 *
 * @typedef {import('./api.js').Taxon} Taxon
 * @typedef {{taxa: number[], text: string, texts?: Record<string, string>}} Confusion
 */
import { nameOf } from './confirm.js';
import { el } from './dom.js';
import { inLanguage, t } from './lang.js';

/** Where the project's own files are. @param {import('./api.js').Project} project */
export const filesOf = (project) => `/api/projects/${encodeURIComponent(project.slug)}/files/`;

/** @param {import('./api.js').Project} project @param {string} name */
export const hasPage = (project, name) => Boolean(project.pages?.some((page) => page.name === name));

/** @param {import('./api.js').Project} project @param {number} taxon @returns {Confusion[]} */
export const looksLike = (project, taxon) => (project.confusions ?? []).filter(({ taxa }) => taxa.includes(taxon));

/** The two side by side. @param {import('./api.js').Project} project @param {Confusion} confusion */
export async function comparison(project, { taxa, text, texts }) {
	const { render } = await import('./markdown.js');
	const sides = taxa.flatMap((id) => project.taxa.find((taxon) => taxon.id === id) ?? []);
	return el('div', { class: 'comparison' },
		el('div', { class: 'pair' }, ...sides.map((taxon) => el('figure', {},
			taxon.picture ? el('img', { src: taxon.picture, alt: '', loading: 'lazy' }) : null,
			el('figcaption', {}, nameOf(taxon))))),
		render(inLanguage(text, texts), filesOf(project)));
}

/**
 * A button that shows what tells two taxa apart; null where the project does not say.
 * @param {import('./api.js').Project} project @param {number} said @param {number} truth
 */
export function compareButton(project, said, truth) {
	const confusion = said === truth ? undefined : looksLike(project, said).find(({ taxa }) => taxa.includes(truth));
	return confusion ? el('button', { type: 'button', class: 'compare', on: { click: () => openComparison(project, confusion) } }, t('compare.open')) : null;
}

/**
 * A button that opens what the project has to say of a taxon; null where that is nothing.
 * @param {import('./api.js').Project} project @param {number} id
 */
export function aboutButton(project, id) {
	const taxon = project.taxa.find((one) => one.id === id);
	if (!taxon || !['guide', 'practice'].some((kind) => hasPage(project, `${kind}/${taxon.code}`)))
		return null;
	return el('button', {
		type: 'button', class: 'compare', on: { click: async () => (await import('./guide.js')).openTaxon(project, taxon) },
	}, t('feedback.about', { name: nameOf(taxon) }));
}

/** @param {import('./api.js').Project} project @param {Confusion} confusion */
async function openComparison(project, confusion) {
	const dialog = el('dialog', { class: 'reading', 'aria-labelledby': 'compare-title', on: { close: () => dialog.remove() } },
		el('h2', { id: 'compare-title' }, t('compare.title')),
		await comparison(project, confusion),
		el('form', { method: 'dialog' }, el('button', { class: 'primary' }, t('main.close'))));
	document.body.append(dialog);
	dialog.showModal();
}
