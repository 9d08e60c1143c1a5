/**
 * What is known of a subject, told after one's own answer: what an expert said of one to learn from, else what the model and
 * the others said where the project tells that. The card goes by itself only when the answer was right.
 *
 * @typedef {import('./api.js').Reply} Reply
 */
import { el } from './dom.js';
import { list, number, t } from './lang.js';
import { say } from './notice.js';

const RIGHT_MS = 6_000;

/**
 * @param {import('./cards.js').Cards} cards
 * @param {{said: string, given: number[], thumb?: string}} answer in words, its taxa, the picture
 * @param {Reply} reply
 * @param {(taxon: number) => string} nameOf
 * @param {...Node} actions buttons for a wrong answer: what would help to tell them apart
 */
export function tell(cards, answer, reply, nameOf, ...actions) {
	const told = sentence(answer, reply, nameOf);
	const others = reply.others ? t('feedback.others', {
		n: reply.others.n, shares: reply.others.shares.map(([taxon, share]) => `${nameOf(taxon)} ${number(share, { style: 'percent' })}`).join(', '),
	}) : '';
	if (!told && !others)
		return;
	const isRight = told?.isRight ?? true;
	const card = cards.show('feedback',
		answer.thumb ? el('img', { src: answer.thumb, alt: '', width: 96, height: 72, on: { error: () => card.querySelector('img')?.remove() } }) : null,
		el('div', { class: 'told' },
			told ? el('strong', {}, told.text) : null,
			isRight ? null : el('p', {}, t('feedback.yours', { answer: answer.said })),
			others ? el('p', {}, others) : null,
			...isRight ? [] : actions));
	card.classList.toggle('right', isRight);
	say([told?.text ?? '', others].filter((text) => text).join(' '));
	if (isRight)
		closeLater(card);
}

/** @param {{given: number[]}} answer @param {Reply} reply @param {(taxon: number) => string} nameOf */
function sentence({ given }, reply, nameOf) {
	if (reply.truth) {
		const truth = [reply.truth, ...reply.truth_also ?? []];
		const isRight = given.length === truth.length && truth.every((taxon) => given.includes(taxon));
		const name = list(truth.map(nameOf));
		return { isRight, text: t(isRight ? 'label.expert_same' : 'label.expert_says', { name }) };
	}
	if (reply.model) {
		const name = nameOf(reply.model);
		const isRight = given.length === 1 && given[0] === reply.model;
		return { isRight, text: t(isRight ? 'label.model_same' : 'label.model_says', { name }) };
	}
	return null;
}

/** Not while somebody reads it with the pointer or the focus on it. @param {HTMLElement} card */
function closeLater(card) {
	setTimeout(() => {
		if (card.matches(':hover, :focus-within'))
			closeLater(card);
		else
			card.remove();
	}, RIGHT_MS);
}
