-- Room for three versions of a task's row on its page: as submitted, leased, ended. Both updates then stay HOT even while
-- some long query holds a snapshot and keeps the older versions from being pruned; at 70 two of three had to touch every
-- index, which cost a third of the dispatcher's rate. Applies to pages written from now on.
SET LOCAL search_path = acsweep, public;
ALTER TABLE task SET (fillfactor = 32);
