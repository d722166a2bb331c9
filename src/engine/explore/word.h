/* SPDX-License-Identifier: MIT */
/* How the value of a word of the world is to be read. Layer: engine. */
#ifndef SL_ENGINE_WORD_H
#define SL_ENGINE_WORD_H

enum xworld_word {
	XWORD_NUMBER, /* of no kind that is known here */
	XWORD_MUTEX,
	XWORD_SHAREX,
	XWORD_SHAREX_HP,
	XWORD_ENTRY,      /* an S-EPT entry */
	XWORD_BARE_ENTRY, /* one that only has the lock bits */
	XWORD_EPOCH,
	XWORD_REFCOUNT,
};

#endif
