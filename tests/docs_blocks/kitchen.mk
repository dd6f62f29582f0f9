# Everything that the pages of docs/ start from, small. Each is made when a page first names it.
# Run in an empty folder: make -f kitchen.mk b/labels.ome.zarr

DISHES := python -m tests.docs_blocks.dishes
NET    := --backbone test_resnet --epochs 1 --batch 16 --no-baselines

# -- a plate -------------------------------------------------------------------------------
raw:
	$(DISHES) plate
layout.csv truth: | raw
masks two stage1_train rois: | raw
	$(DISHES) masks
objects Nuclei.csv DefaultDB.db: | raw truth
	$(DISHES) cellprofiler
plate.ome.zarr: | raw
	cell-extract images 'raw/*.tif' --pattern '{well}_s{site}_{channel}.tif' --layout layout.csv -o $@
x.ome.zarr: | raw  # two fields, named as their files
	cell-extract images raw/B02_s1_DNA.tif raw/B03_s1_DNA.tif --pattern '{name}_DNA.tif' -o $@
n.labels.ome.zarr: | plate.ome.zarr
	cell-segment threshold plate.ome.zarr -c DNA -o $@
x.labels.ome.zarr: | x.ome.zarr
	cell-segment threshold x.ome.zarr -o $@
two.labels.ome.zarr: | x.ome.zarr two
	cell-extract labels 'two/*.tif' --like x.ome.zarr -o $@
two.crops.zarr: | two.labels.ome.zarr
	cell-crop cells two.labels.ome.zarr --images x.ome.zarr --size 64 -o $@
	$(DISHES) classes
c.labels.ome.zarr: | plate.ome.zarr truth
	cell-extract labels 'truth/*_cells.tif' --like plate.ome.zarr --pattern '{well}_s{site}_{_}.tif' \
	  --compartment cells -o $@
f.parquet: | n.labels.ome.zarr
	cell-feat measure n.labels.ome.zarr --images plate.ome.zarr --families shape,intensity -o $@
grown.labels.ome.zarr: | n.labels.ome.zarr
	cell-segment grow n.labels.ome.zarr --images plate.ome.zarr -c DNA --distance 5 -o $@
compartments.parquet: | grown.labels.ome.zarr
	cell-feat measure grown.labels.ome.zarr --images plate.ome.zarr --families shape -o $@
z.parquet: | f.parquet
	cell-feat normalize f.parquet -o $@
c.crops.zarr: | n.labels.ome.zarr
	cell-crop cells n.labels.ome.zarr --images plate.ome.zarr --size 64 -o $@

# -- what is learnt from it -----------------------------------------------------------------
c.model: | c.crops.zarr
	cell-train cnn c.crops.zarr --target Metadata_Condition $(NET) -o $@
f.model: | f.parquet
	cell-train forest f.parquet --target Metadata_Condition -o $@
b.model: | f.parquet
	cell-train forest f.parquet --target Metadata_Condition --algorithm boosting --trees 20 -o $@
e.parquet: | c.model
	cell-feat embed c.crops.zarr -m c.model -o $@
p.parquet: | b.model
	cell-train predict f.parquet -m b.model -o $@
forest.parquet: | f.model
	cell-train predict f.parquet -m f.model -o $@
score: | p.parquet
	cell-train score p.parquet -o $@
plane.bundle: | e.parquet
	cell-explain embed e.parquet --method pca -o $@
importance.bundle: | b.model
	cell-explain importance f.parquet -m b.model -o $@
x.explain.zarr: | c.model
	cell-explain cam c.model c.crops.zarr --most 4 -o $@
checks: | x.explain.zarr
	cell-explain faithfulness x.explain.zarr -m c.model -c c.crops.zarr --most 4 -o $@
bags.parquet: | c.crops.zarr
	$(DISHES) bags
mil.model: | bags.parquet e.parquet
	cell-train mil bags.parquet --embeddings e.parquet --target Metadata_Condition \
	  --group Metadata_Well --epochs 1 -o $@
predicted: | mil.model
	cell-train predict mil.model bags.parquet --embeddings e.parquet -o predicted.bundle
	mv predicted.bundle $@

# -- annotations and pictures ---------------------------------------------------------------
livecell:
	python -m libcell.simulate livecell -o $@ --lines 2 --batches 3 --positions 1 --frames 1 \
	  --size 128 --cells 8
pictures:
	$(DISHES) pictures
index.csv: | pictures
m.crops.zarr: | pictures
	cell-extract classes pictures/ --index index.csv -o $@
m.model: | m.crops.zarr
	cell-train cnn m.crops.zarr --target Metadata_Class --group Metadata_Plate $(NET) -o $@
LSM:
	$(DISHES) sequences
s.crops.zarr: | LSM
	cell-extract sequences LSM/ --pattern '{plate}_{well}_{movie}_cell{_}' -o $@
s.model: | s.crops.zarr
	cell-train sequence s.crops.zarr --group Metadata_Plate --epochs 1 \
	  --network-options width=8,hidden=16 -o $@
stages.parquet: | s.model
	cell-train predict s.model s.crops.zarr -o guessed.parquet
	$(DISHES) stages
images: | raw
	mkdir $@ && cp $$(ls raw/*_DNA.tif | head -6) $@ && cd $@ && for f in *.tif; do \
	  python -c "import sys, numpy, tifffile, PIL.Image as p; a = tifffile.imread(sys.argv[1]); \
	    p.fromarray(numpy.uint8(a / a.max() * 255)).save(sys.argv[1][:-7] + 'nuclei.png')" $$f; \
	  rm $$f; done
labels: | raw
	mkdir $@ && cp $$(ls truth/*_nuclei.tif | head -6) $@
d.ome.zarr: | images
	cell-extract images 'images/*.png' -o $@
d.labels.ome.zarr: | d.ome.zarr labels
	cell-extract labels 'labels/*.tif' --like d.ome.zarr -o $@
seg.model: | d.labels.ome.zarr
	cell-train segmenter d.ome.zarr d.labels.ome.zarr --epochs 1 --crops 8 --size 64 -o $@

# -- rounds, films, cultures ----------------------------------------------------------------
rounds:
	python -m libcell.simulate rounds -o $@ --size 128 --sites 1
round1.ome.zarr round2.ome.zarr: %.ome.zarr: | rounds
	cell-extract images 'rounds/$*/*.tif' --pattern '{well}_s{site}_{channel}.tif' -o $@
round1.labels.ome.zarr: | round1.ome.zarr
	cell-segment threshold round1.ome.zarr -c DNA -o $@
movie:
	python -m libcell.simulate timelapse -o $@ --frames 6 --size 128 --cells 6
movie.ome.zarr: | movie
	cell-extract images 'movie/images/*_DNA.tif' --pattern '{well}_s{site}_t{t}_{channel}.tif' -o $@
movie.labels.ome.zarr: | movie.ome.zarr
	cell-extract labels 'movie/truth/labels/*_nuclei.tif' --like movie.ome.zarr \
	  --pattern '{well}_s{site}_t{t}_{_}.tif' -o $@
movie.tracks: | movie.labels.ome.zarr
	cell-track lap movie.labels.ome.zarr -o $@
challenge: | movie.tracks
	cell-extract to-ctc movie.tracks --labels movie.labels.ome.zarr --images movie.ome.zarr -o $@
	cell-extract to-ctc movie.tracks --labels movie.labels.ome.zarr --as res -o result
	mv result/01_RES $@/
b: | challenge
	cell-extract ctc challenge --sequence 01 -o $@
t.tracks: | b
	cell-track lap b/labels.ome.zarr -o $@
film_stages.parquet: | t.tracks
	$(DISHES) film_stages
t.xml: | t.tracks
	cell-track convert t.tracks -o $@
t.geff: | t.tracks
	cp -r t.tracks/graph.geff $@
tracker.model: | b
	cell-train tracker b/image.ome.zarr b/labels.ome.zarr --tracks b/true.tracks --epochs 1 \
	  --crops 8 --size 64 -o $@
film:
	python -m libcell.simulate timelapse -o $@ --frames 4 --size 128 --cells 6 --contrast phase
film.ome.zarr: | film
	cell-extract images 'film/images/*.tif' --pattern '{well}_s{site}_t{t}_{channel}.tif' -o $@
phase:
	$(DISHES) lines
phase.ome.zarr: | phase
	cell-extract images 'phase/*.tif' --pattern '{line}_{batch}_{flask}_{time}.tif' -o $@
area.labels.ome.zarr: | phase.ome.zarr
	cell-segment foreground phase.ome.zarr -o $@
l.crops.zarr: | area.labels.ome.zarr
	cell-crop clusters area.labels.ome.zarr --images phase.ome.zarr --bag Metadata_Flask -o $@
ssl.model: | l.crops.zarr
	cell-train ssl l.crops.zarr --method vicreg --backbone test_resnet --epochs 1 --batch 16 -o $@
l.parquet: | l.crops.zarr
	cell-feat embed l.crops.zarr --backbone test_resnet --untrained -o $@
l.bags.parquet: | l.crops.zarr
	cp l.crops.zarr/bags.parquet $@

.DELETE_ON_ERROR:
