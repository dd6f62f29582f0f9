// From plates, image stores, to features of their nuclei: every plate by itself, side by side. The
// modules beside this file are made by: python -m libcell.cli.descriptors nf-core modules
//
//   nextflow run main.nf --plates 'plates/*.ome.zarr' --nuclei DNA -resume

include { CELLSEGMENT_THRESHOLD } from './modules/cellsegment/threshold/main'
include { CELLCROP_CELLS        } from './modules/cellcrop/cells/main'
include { CELLFEAT_MEASURE      } from './modules/cellfeat/measure/main'

workflow {
    plates = channel.fromPath(params.plates, type: 'any')
        .map { store -> [[id: store.name - '.ome.zarr'], store] }

    CELLSEGMENT_THRESHOLD(plates)

    both = CELLSEGMENT_THRESHOLD.out.output
        .join(plates)
        .multiMap { meta, labels, images ->
            labels: [meta, labels]
            images: images
        }
    CELLCROP_CELLS(both.labels, both.images, [])
    CELLFEAT_MEASURE(both.labels, both.images)
}
