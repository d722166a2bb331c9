/* SPDX-License-Identifier: MIT */
/*
 * hplock_cxx.cc - the lock header from C++17: every operation once, uncontended
 *
 * Exits with the number of the first check that failed.
 */
#include <seamlab/hplock.h>

namespace
{

int fails(int check, bool ok)
{
	return ok ? 0 : check;
}

int use_mutex()
{
	hp_mutex_t l = { 0 };
	bool ok = hp_mutex_try_lock(&l) == HP_OK && hp_mutex_try_lock(&l) == HP_BUSY;

	hp_mutex_unlock(&l);
	ok = ok && hp_mutex_try_lock_published(&l) == HP_OK;
	hp_mutex_unlock_published(&l);
	return fails(1, ok && l.word == 0);
}

int use_sharex()
{
	sharex_t l = { 0 };
	bool ok = sharex_try_shared(&l) == HP_OK && sharex_try_promote(&l) == HP_OK;

	sharex_demote(&l);
	sharex_release_shared(&l);
	ok = ok && sharex_try_exclusive(&l) == HP_OK;
	sharex_release_exclusive(&l);
	ok = ok && l.word == 0 && sharex_try_shared_published(&l) == HP_OK &&
	     sharex_try_promote_published(&l) == HP_OK;
	sharex_demote_published(&l);
	sharex_release_shared_published(&l);
	ok = ok && sharex_try_exclusive_published(&l) == HP_OK;
	sharex_release_exclusive_published(&l);
	return fails(2, ok && l.word == 0);
}

int use_sharex_hp()
{
	sharex_hp_t l = { 0 };
	bool ok = sharex_hp_try_shared(&l, HP_HOST) == HP_OK &&
		  sharex_hp_try_promote(&l) == HP_OK &&
		  sharex_hp_try_exclusive(&l, HP_HOST) == HP_BUSY;

	sharex_hp_release_exclusive(&l);
	ok = ok && sharex_hp_try_shared(&l, HP_GUEST) == HP_BUSY_HOST_PRIORITY;
	sharex_hp_withdraw(&l);
	ok = ok && sharex_hp_try_shared(&l, HP_GUEST) == HP_OK;
	sharex_hp_release_shared(&l);
	ok = ok && sharex_hp_try_exclusive(&l, HP_GUEST) == HP_OK;
	sharex_hp_release_exclusive(&l);
	ok = ok && l.word == 0 && sharex_hp_try_shared_published(&l, HP_HOST) == HP_OK &&
	     sharex_hp_try_promote_published(&l) == HP_OK;
	sharex_hp_release_exclusive_published(&l);
	ok = ok && sharex_hp_try_shared_published(&l, HP_GUEST) == HP_OK;
	sharex_hp_release_shared_published(&l);
	ok = ok && sharex_hp_try_exclusive_published(&l, HP_GUEST) == HP_OK;
	sharex_hp_release_exclusive_published(&l);
	return fails(3, ok && l.word == 0);
}

int use_entry()
{
	SL_HP_ATOMIC(uint64_t) entry = 0x1000;
	bool ok = sept_entry_try_lock(&entry, HP_GUEST) == HP_OK &&
		  sept_entry_try_lock(&entry, HP_HOST) == HP_BUSY;

	sept_entry_commit(&entry, 0x2000, true);
	ok = ok && entry == (0x2000 | SEPT_ENTRY_TDEL | SEPT_ENTRY_HP);
	sept_entry_unlock(&entry);
	sept_entry_withdraw(&entry);
	ok = ok && entry == 0x2000 && sept_entry_try_lock_published(&entry, HP_HOST) == HP_OK;
	sept_entry_commit_published(&entry, 0x3000, true);
	sept_entry_unlock_published(&entry);
	return fails(4, ok && entry == 0x3000);
}

} // namespace

int main()
{
	int failed = use_mutex();

	if (!failed)
		failed = use_sharex();
	if (!failed)
		failed = use_sharex_hp();
	if (!failed)
		failed = use_entry();
	return failed;
}
