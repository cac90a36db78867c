-- A new leader places anew; reasons of the last one say nothing any more.
DELETE FROM placement;
