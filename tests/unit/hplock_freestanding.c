/* SPDX-License-Identifier: MIT */
/*
 * hplock_freestanding.c - the lock header without a C library: compiled only, with
 * -ffreestanding -nostdlib -c; nothing but the weak hp_misuse may stay undefined
 */
#include <seamlab/hplock.h>

#if __STDC_HOSTED__
#error "this file checks the freestanding build"
#endif

struct freestanding_locks {
	hp_mutex_t mutex;
	sharex_t sharex;
	sharex_hp_t sharex_hp;
	_Atomic(uint64_t) entry;
};

int hplock_freestanding(struct freestanding_locks *l);

int hplock_freestanding(struct freestanding_locks *l)
{
	int refused = 0;

	if (hp_mutex_try_lock(&l->mutex) == HP_OK)
		hp_mutex_unlock(&l->mutex);
	else
		refused++;
	if (sharex_try_exclusive(&l->sharex) == HP_OK)
		sharex_release_exclusive(&l->sharex);
	else
		refused++;
	if (sharex_hp_try_shared(&l->sharex_hp, HP_GUEST) == HP_OK)
		sharex_hp_release_shared(&l->sharex_hp);
	else
		refused++;
	if (sharex_hp_try_exclusive_published(&l->sharex_hp, HP_HOST) == HP_OK)
		sharex_hp_release_exclusive_published(&l->sharex_hp);
	else
		refused++;
	if (sept_entry_try_lock(&l->entry, HP_HOST) == HP_OK)
		sept_entry_commit(&l->entry, 0, false);
	else
		refused++;
	return refused;
}
