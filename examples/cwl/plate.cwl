# From a plate to features of its nuclei, in the Common Workflow Language. The tools beside it are
# made by: python -m libcell.cli.descriptors cwl examples/cwl/tools
# cwltool --no-container examples/cwl/plate.cwl --plate plate.ome.zarr --channel DNA
cwlVersion: v1.2
class: Workflow
requirements:
  MultipleInputFeatureRequirement: {}
inputs:
  plate: Directory
  channel: string
outputs:
  labels: {type: Directory, outputSource: segment/output}
  features: {type: File, outputSource: measure/output}
steps:
  segment:
    run: tools/cell-segment-threshold.cwl
    in:
      inputs: {source: [plate], linkMerge: merge_flattened}
      channel: channel
      output_name: {default: nuclei.labels.ome.zarr}
    out: [output]
  measure:
    run: tools/cell-feat-measure.cwl
    in:
      inputs: {source: [segment/output], linkMerge: merge_flattened}
      images: plate
      output_name: {default: features.parquet}
    out: [output]
