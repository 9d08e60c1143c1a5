/** English, the language that every other falls back to. Keys are `module.what`, in the order of the modules' names. */
/** @satisfies {Record<string, import('../lang.js').Text>} */
export const words = {
	'cards.close': 'Close this card',
	'cards.feedback': 'About your answer',

	'feedback.and': ' and ',
	'feedback.computer': 'The computer thinks: {name}. It may be wrong.',
	'feedback.computer_same': 'The computer thinks so too: {name}.',
	'feedback.expert': 'An expert says: {name}.',
	'feedback.expert_same': 'An expert says so too: {name}.',
	'feedback.others': {
		one: 'One earlier answer: {shares}.',
		other: '{n} earlier answers: {shares}.',
	},
	'feedback.yours': 'You said: {answer}.',

	'project.all': 'All projects',

	'recent.ask_again': 'You said “{answer}”. What do you see?',
	'recent.change': 'Change',
	'recent.change_this': 'Change {answer}',
	'recent.close': 'Close',
	'recent.closed': 'decided',
	'recent.key': 'your last answers, to look at or to change',
	'recent.loading': 'Fetching your answers …',
	'recent.none': 'You have not answered here yet.',
	'recent.open': 'Your last answers',
	'recent.title': 'Your last answers',
};
